// Pixel formats and their numbers at the border; src/format.rs has the same list.

/** How the samples of a picture lie in memory, rows and planes without gaps. */
export type PixelFormat =
  /** One grey byte a pixel. */
  | "gray8"
  /** Grey and alpha. */
  | "graya8"
  /** Red, green, blue. */
  | "rgb8"
  /** Red, green, blue, alpha (not premultiplied). */
  | "rgba8"
  /** Blue, green, red, alpha (not premultiplied). */
  | "bgra8"
  /** Two bytes a pixel, little-endian, of which the lowest `bits` count. */
  | "gray16"
  /** Luma, then Cb and Cr interleaved at half width and height. */
  | "nv12"
  /** Luma, then Cr and Cb interleaved at half width and height. */
  | "nv21"
  /** Luma, Cb, Cr; chroma at half width and height. */
  | "i420"
  /** RGBA of which the alpha is dropped if all pixels are opaque: for what a canvas gives. */
  | "canvas";

/** What some formats need to be told. */
export interface FormatDetails {
  /** Of gray16: bits that count, 8 to 16. Default 16. */
  bits?: number;
  /** Of 4:2:0 formats: luma weights. Default "bt601". */
  matrix?: "bt601" | "bt709";
  /** Of 4:2:0 formats: range of the samples. Default "full". */
  range?: "full" | "limited";
}

const CODES: Record<PixelFormat, number> = {
  gray8: 0,
  graya8: 1,
  rgb8: 2,
  rgba8: 3,
  bgra8: 4,
  gray16: 5,
  nv12: 6,
  nv21: 7,
  i420: 8,
  canvas: 9,
};

/** Formats that a stream can have by itself. */
export type StreamFormat = "gray8" | "graya8" | "rgb8" | "rgba8";
const OF_STREAMS: readonly StreamFormat[] = ["gray8", "graya8", "rgb8", "rgba8"];

/** The number of a format. Throws a TypeError for one that does not exist. */
export function formatCode(format: PixelFormat, details: FormatDetails = {}): number {
  const code: number | undefined = CODES[format];
  if (code === undefined) throw new TypeError(`no pixel format "${String(format)}"`);
  if (format === "gray16") return code | ((details.bits ?? 16) & 0xff) << 8;
  if (format !== "nv12" && format !== "nv21" && format !== "i420") return code;
  const space = (details.matrix === "bt709" ? 1 : 0) | (details.range === "limited" ? 2 : 0);
  return code | space << 8;
}

/** The format of a stream that the module names by a number. */
export function streamFormat(code: number): StreamFormat {
  return OF_STREAMS[code] ?? "rgb8";
}
