// What goes in and out. Plain objects, so that they can be sent to a worker and back.

import type { FormatDetails, PixelFormat, StreamFormat } from "./formats.js";

/** A picture to encode. `ImageData` is one. */
export interface Picture extends FormatDetails {
  /** Pixels of a row, 1 to 65535. */
  width: number;
  /** Rows, 1 to 65535. */
  height: number;
  /** The samples, rows and planes without gaps. */
  data: Uint8Array | Uint8ClampedArray;
  /** Default "canvas": RGBA of which the alpha is dropped if all pixels are opaque. */
  format?: PixelFormat;
}

/** Metadata that a file carries along, unread. */
export interface Metadata {
  /** An ICC colour profile. */
  icc?: Uint8Array;
  /** Exif, from its TIFF header on. */
  exif?: Uint8Array;
  /** An XMP packet, UTF-8. */
  xmp?: Uint8Array;
}

/** How to encode. */
export interface EncodeOptions {
  /** 0 (smallest) to 100 (best), in hundredths. Default 50. */
  quality?: number;
  /** The most bytes the file may have: takes the best quality that fits, and overrides `quality`. */
  targetBytes?: number;
  /** Rows of a chunk, a multiple of 64, at most 65536. Default 256. */
  chunkRows?: number;
  /** "fast" takes less time, "best" makes smaller files, if the model has them. Default "default". */
  effort?: "fast" | "default" | "best";
  /**
   * "perceptual" is for eyes: fewer bits where more is going on. "psnr" is for the least squared error. Default
   * "perceptual".
   */
  tune?: "perceptual" | "psnr";
  /** Default none. */
  metadata?: Metadata;
}

/** How to decode. */
export interface DecodeOptions extends FormatDetails {
  /** Default "rgba8", as a canvas takes it. "stream" is the file's own format. */
  format?: Exclude<PixelFormat, "canvas"> | "stream";
  /** "lite" takes less time, "standard" draws better pictures. Default: the better of those that the model has. */
  decoder?: "standard" | "lite";
  /** Fill in what is damaged instead of failing. Default false. */
  conceal?: boolean;
  /** Refuse pictures of more pixels. Default 2^26. Decoding takes about 12 bytes of memory a pixel. */
  maxPixels?: number;
}

/** What a file's header says. */
export interface Info {
  width: number;
  height: number;
  /** The file's own pixel format. */
  format: StreamFormat;
  /** 0 to 100. */
  quality: number;
  /** Rows of a chunk. */
  chunkRows: number;
  metadata: Metadata;
}

/** A decoded file. */
export interface Decoded extends Info {
  /** The samples in the format asked for, rows and planes without gaps. */
  data: Uint8ClampedArray<ArrayBuffer>;
  /** How many chunks were damaged and filled in. */
  damagedChunks: number;
}

/** Where the parts are, if not beside this module. Bytes, or where to fetch them. */
export interface Sources {
  /** The WebAssembly module. Default `pinhole.wasm`, or `pinhole-scalar.wasm` where SIMD is missing. */
  module?: Part;
  /** The model bundle, which may be gzipped. Default `photo.pinm.gz`: the effort "default" and the decoder "lite". */
  model?: Part;
}

/** Bytes, or where to fetch them. */
export type Part = URL | string | Uint8Array | ArrayBuffer;

/** Why a call failed: the codec's own words. */
export class PinholeError extends Error {
  override name = "PinholeError";
}
