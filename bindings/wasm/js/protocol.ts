// What page and worker say to each other.

import type { DecodeOptions, Decoded, EncodeOptions, Info, Picture, Sources } from "./types.js";

/** A call, as the page sends it. */
export type Call =
  | { kind: "open"; sources: Sources }
  | { kind: "encode"; picture: Picture; options: EncodeOptions }
  | { kind: "decode"; file: Uint8Array; options: DecodeOptions }
  | { kind: "inspect"; file: Uint8Array };

export type Request = Call & { id: number };

/** What each call returns. */
export interface Results {
  open: undefined;
  encode: Uint8Array<ArrayBuffer>;
  decode: Decoded;
  inspect: Info;
}

/** The answer to the request of the same number. */
export type Answer =
  | { id: number; result: Results[keyof Results]; milliseconds: number }
  | { id: number; error: string };
