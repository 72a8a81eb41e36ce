// Files to canvases.

/** What a canvas may hold on every phone. */
const MOST_PIXELS = 2 ** 24;

/** A picture to encode, and the canvas it lies on. */
export interface Source {
  name: string;
  canvas: HTMLCanvasElement;
  pixels: ImageData;
  /** Set if the picture was too large and has been shrunk: its own size. */
  shrunkFrom?: { width: number; height: number };
}

/** Whether a file is Pinhole's, by its first bytes. */
export async function isPin(file: Blob): Promise<boolean> {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return [0xd0, 0x50, 0x0d, 0x0a].every((byte, i) => head[i] === byte);
}

/** Reads any picture that the browser knows, upright. Throws if it knows it not. */
export async function read(file: Blob, name: string): Promise<Source> {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${name} is no picture that this browser can read`);
  }
  const { width, height } = bitmap;
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(width * scale));
  canvas.height = Math.max(1, Math.floor(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser gives no canvas");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const source: Source = { name: name.replace(/\.[^.]*$/, ""), canvas, pixels };
  return scale < 1 ? { ...source, shrunkFrom: { width, height } } : source;
}

/** A canvas of decoded RGBA samples. */
export function canvasOf(
  width: number,
  height: number,
  data: Uint8ClampedArray<ArrayBuffer>,
): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.putImageData(new ImageData(data, width, height), 0, 0);
  return canvas;
}
