// The page: opens files, keeps the codec busy with the newest wish only, and shows what came of it.

import { PinholeWorker, type Decoded, type Timed } from "../dist/index.js";
import { Compare, byId } from "./compare.js";
import { show, type Line } from "./numbers.js";
import { canvasOf, isPin, read, type Source } from "./pictures.js";
import { atSize, type Rival, type RivalKind } from "./rivals.js";

const KINDS: readonly RivalKind[] = ["jpeg", "webp"];
const NAMES = { jpeg: "JPEG", webp: "WebP", original: "Original" } as const;

const page = {
  status: byId("status"),
  result: byId("result"),
  dial: byId("dial"),
  quality: byId<HTMLInputElement>("quality"),
  qualityValue: byId("quality-value"),
  rivals: byId<HTMLFieldSetElement>("rivals"),
  rightTag: byId("right-tag"),
  numbers: byId("numbers"),
  note: byId("note"),
  download: byId<HTMLAnchorElement>("download"),
  zoom: byId<HTMLButtonElement>("zoom"),
  file: byId<HTMLInputElement>("file"),
};
const compare = new Compare();
const codec = PinholeWorker.open();

/** The picture that was opened, if it was not a .pin. */
let source: Source | undefined;
const rivals = new Map<RivalKind, Rival>();
/** Counts wishes: work for an older one stops. */
let wish = 0;

function say(text: string, error = false): void {
  page.status.textContent = text;
  page.status.classList.toggle("error", error);
}

/** Runs something that the user asked for and says what went wrong. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), true);
  }
}

async function open(file: Blob, name: string): Promise<void> {
  const own = ++wish;
  say(`Opening ${name} …`);
  if (await isPin(file)) return openPin(file, name, own);
  const opened = await read(file, name);
  if (own !== wish) return;
  source = opened;
  await encode();
}

/** Shows a .pin alone: there is nothing to compare it with. */
async function openPin(file: Blob, name: string, own: number): Promise<void> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const decoded = await (await codec).decode(bytes, { conceal: true });
  if (own !== wish) return;
  source = undefined;
  forgetRivals();
  const { width, height, data, quality, damagedChunks } = decoded.result;
  const canvas = canvasOf(width, height, data);
  compare.left(canvas);
  compare.right(canvas);
  page.dial.hidden = page.rivals.hidden = page.rightTag.hidden = true;
  page.result.classList.add("alone");
  offer(bytes, name);
  const line = { name: "Pinhole", bytes: bytes.length, decodeMs: decoded.milliseconds };
  show(page.numbers, [line], width * height);
  page.note.textContent = `${name}: ${width} × ${height}, quality ${quality}`
    + (damagedChunks ? `; ${damagedChunks} damaged parts were filled in` : "");
  finish();
}

/** Encodes the opened picture at the dial's quality, and then the rivals at the same size. */
async function encode(): Promise<void> {
  if (!source) return;
  const own = ++wish;
  const { canvas, pixels, name, shrunkFrom } = source;
  const quality = page.quality.valueAsNumber;
  say("Encoding …");
  const encoded = await (await codec).encode(pixels, { quality });
  if (own !== wish) return;
  const decoded: Timed<Decoded> = await (await codec).decode(encoded.result);
  if (own !== wish) return;
  page.dial.hidden = page.rivals.hidden = page.rightTag.hidden = false;
  page.result.classList.remove("alone");
  compare.left(canvasOf(decoded.result.width, decoded.result.height, decoded.result.data));
  offer(encoded.result, `${name}.pin`);
  forgetRivals();
  showRight();
  page.result.hidden = false;
  say("Looking for JPEG and WebP files of this size …");
  const lines: Line[] = [{
    name: "Pinhole",
    bytes: encoded.result.length,
    encodeMs: encoded.milliseconds,
    decodeMs: decoded.milliseconds,
  }];
  const pixelCount = canvas.width * canvas.height;
  const notes = [`${canvas.width} × ${canvas.height}`];
  if (shrunkFrom) notes.push(`shrunk from ${shrunkFrom.width} × ${shrunkFrom.height}`);
  for (const kind of KINDS) {
    show(page.numbers, [...lines, { name: NAMES[kind] }], pixelCount);
    const rival = await atSize(canvas, kind, encoded.result.length, () => own !== wish);
    if (own !== wish) return;
    if (!rival) {
      notes.push(`this browser writes no ${NAMES[kind]}`);
      continue;
    }
    rivals.set(kind, rival);
    const { blob, encodeMs, decodeMs } = rival;
    lines.push({ name: `${NAMES[kind]} ${rival.quality}`, bytes: blob.size, encodeMs, decodeMs });
    if (rival.tooLarge) notes.push(`${NAMES[kind]} cannot be that small: its smallest is shown`);
    showRight();
  }
  show(page.numbers, lines, pixelCount);
  page.note.textContent = notes.join("; ");
  finish();
}

function finish(): void {
  page.result.hidden = false;
  setZoom(page.zoom.getAttribute("aria-pressed") === "true");
  say("");
}

/** Shows what was chosen right of the line; the original until it is there. */
function showRight(): void {
  if (!source) return;
  const chosen = page.rivals.querySelector<HTMLInputElement>("input:checked")?.value;
  const rival = rivals.get(chosen as RivalKind);
  compare.right(rival?.picture ?? source.canvas);
  page.rightTag.textContent = rival ? NAMES[chosen as RivalKind] : NAMES.original;
  setZoom(page.zoom.getAttribute("aria-pressed") === "true");
}

function forgetRivals(): void {
  for (const { picture } of rivals.values()) picture.close();
  rivals.clear();
}

function offer(file: Uint8Array<ArrayBuffer>, name: string): void {
  URL.revokeObjectURL(page.download.href);
  page.download.href = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
  page.download.download = name;
}

function setZoom(on: boolean): void {
  page.zoom.setAttribute("aria-pressed", String(on));
  compare.actual(on);
}

page.file.addEventListener("change", () => {
  const file = page.file.files?.[0];
  // So that the same file may be chosen again.
  page.file.value = "";
  if (file) void attempt(() => open(file, file.name));
});
byId("sample").addEventListener("click", () => void attempt(async () => {
  const response = await fetch("chelsea.png");
  if (!response.ok) throw new Error(`the example cannot be had: ${response.status}`);
  await open(await response.blob(), "chelsea.png");
}));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const file = event.dataTransfer?.files[0];
  if (file) void attempt(() => open(file, file.name));
});
page.quality.addEventListener("input", () => {
  page.qualityValue.textContent = page.quality.value;
});
page.quality.addEventListener("change", () => void attempt(encode));
page.rivals.addEventListener("change", showRight);
page.zoom.addEventListener("click", () => {
  setZoom(page.zoom.getAttribute("aria-pressed") !== "true");
});
void attempt(async () => {
  await codec;
  say("");
});
