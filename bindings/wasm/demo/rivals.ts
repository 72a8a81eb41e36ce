// JPEG and WebP as the browser writes them, at a size.

/** A rival's file and how it was found. */
export interface Rival {
  blob: Blob;
  /** The encoder's own quality, 1 to 100. */
  quality: number;
  /** Of the encode that was kept. */
  encodeMs: number;
  decodeMs: number;
  picture: ImageBitmap;
  /** Whether even its smallest file is larger than asked for. */
  tooLarge: boolean;
}

export type RivalKind = "jpeg" | "webp";

interface Trial {
  blob: Blob;
  quality: number;
  encodeMs: number;
}

/**
 * The largest file of at most `bytes` that the browser writes of a canvas, or its smallest if all are larger. Nothing
 * if it cannot write the format, or if `stopped` says that the answer is no longer wanted.
 */
export async function atSize(
  canvas: HTMLCanvasElement,
  kind: RivalKind,
  bytes: number,
  stopped: () => boolean,
): Promise<Rival | undefined> {
  let best: Trial | undefined;
  let smallest: Trial | undefined;
  // Sizes grow with quality; bisection over whole percents takes seven trials.
  let [low, high] = [0, 101];
  while (high - low > 1) {
    const quality = (low + high) >> 1;
    const trial = await encode(canvas, kind, quality);
    if (!trial || stopped()) return undefined;
    if (trial.blob.size <= bytes) {
      best = trial;
      low = quality;
    } else {
      smallest = trial;
      high = quality;
    }
  }
  const found = best ?? smallest;
  if (!found) return undefined;
  const start = performance.now();
  const picture = await createImageBitmap(found.blob);
  return { ...found, picture, decodeMs: performance.now() - start, tooLarge: !best };
}

async function encode(
  canvas: HTMLCanvasElement,
  kind: RivalKind,
  quality: number,
): Promise<Trial | undefined> {
  const start = performance.now();
  const blob = await new Promise<Blob | null>((resolve) =>
    canvas.toBlob(resolve, `image/${kind}`, quality / 100));
  // A browser that cannot write the format writes PNG instead.
  if (blob?.type !== `image/${kind}`) return undefined;
  return { blob, quality, encodeMs: performance.now() - start };
}
