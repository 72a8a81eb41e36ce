/** The Pinhole picture codec: `PinholeWorker` for pages, `Codec` for workers of one's own and for Node. */
export { PinholeWorker, type Timed } from "./client.js";
export { Codec } from "./codec.js";
export type { FormatDetails, PixelFormat, StreamFormat } from "./formats.js";
export { hasSimd } from "./parts.js";
export * from "./types.js";
