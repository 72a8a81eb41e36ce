// The worker's side: one codec, one call at a time.

import { Codec } from "./codec.js";
import type { Answer, Call, Request, Results } from "./protocol.js";

let codec: Codec | undefined;

async function answer(call: Call): Promise<Results[keyof Results]> {
  if (call.kind === "open") {
    codec = await Codec.open(call.sources);
    return undefined;
  }
  if (!codec) throw new Error("the codec is not open");
  if (call.kind === "encode") return codec.encode(call.picture, call.options);
  if (call.kind === "decode") return codec.decode(call.file, call.options);
  return codec.inspect(call.file);
}

// The page's library has no types for a worker's own scope.
const scope = self as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(message: Answer, transfer: Transferable[]): void;
};

scope.onmessage = async ({ data: request }) => {
  const start = performance.now();
  try {
    const result = await answer(request);
    const milliseconds = performance.now() - start;
    scope.postMessage({ id: request.id, result, milliseconds }, buffers(result));
  } catch (error) {
    scope.postMessage({ id: request.id, error: String((error as Error).message ?? error) }, []);
  }
};

/** What can be handed over instead of copied. */
function buffers(result: Results[keyof Results]): Transferable[] {
  if (result instanceof Uint8Array) return [result.buffer];
  return result && "data" in result ? [result.data.buffer] : [];
}
