// The conformance set as JavaScript reads it: the pictures of tests/conformance/cases.rs and the lists of hashes.
// Used in Node and, as it is, in the browser.

const JPEG = { matrix: "bt601", range: "full" };
const VIDEO = { matrix: "bt709", range: "limited" };
/** The names in the lists: format and details, planes, and bytes of a row's pixel in the first plane. */
const FORMATS = {
  gray8: [{ format: "gray8" }, 1, 1],
  graya8: [{ format: "graya8" }, 1, 2],
  rgb8: [{ format: "rgb8" }, 1, 3],
  rgba8: [{ format: "rgba8" }, 1, 4],
  bgra8: [{ format: "bgra8" }, 1, 4],
  gray16: [{ format: "gray16", bits: 16 }, 1, 2],
  "nv12-jpeg": [{ format: "nv12", ...JPEG }, 2, 1],
  "nv21-video": [{ format: "nv21", ...VIDEO }, 2, 1],
  "i420-video": [{ format: "i420", ...VIDEO }, 3, 1],
};
const OWNED = ["gray8", "graya8", "rgb8", "rgba8"];

/** The cases of a list's text. */
export function cases(text) {
  return lines(text).map((line) => {
    const [, name, width, height, quality, chunkRows, bytes, file, pixels] =
      line.match(/^(\S+) (\d+)x(\d+) q(\d+) c(\d+) (\d+) (\w{16}) (\w{16})$/);
    const number = { width, height, quality, chunkRows, bytes };
    for (const key in number) number[key] = Number(number[key]);
    return { line, name, file, pixels, ...number };
  });
}

/** Lines that are no comments. */
export function lines(text) {
  return text.split("\n").filter((line) => line && !line.startsWith("#"));
}

/** The picture of a case. */
export function picture({ name, width, height }) {
  const [details, planes, channelsOfFirst] = FORMATS[name];
  const half = (n) => Math.ceil(n / 2);
  let noise = width * 31 + height;
  const data = [];
  for (let plane = 0; plane < planes; plane++) {
    const interleaved = planes === 2 ? 2 * half(width) : half(width);
    const row = plane === 0 ? width * channelsOfFirst : interleaved;
    const rows = plane === 0 ? height : half(height);
    const channels = planes === 1 ? channelsOfFirst : 1;
    for (let y = 0; y < rows; y++) {
      for (let i = 0; i < row; i++) {
        const x = Math.floor(i / channels);
        const c = (i % channels) + plane;
        noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0;
        let wave = Math.floor((x * (3 + c) + y * 2) / 3) % 256;
        if (wave >= 128) wave = 255 - wave;
        const kind = (Math.floor(x / 32) + Math.floor(y / 48)) % 4;
        if (kind === 0) data.push(40 + 50 * c);
        else if (kind === 1) data.push(60 + wave);
        else if (kind === 2) data.push(wave + (noise >>> 25));
        else data.push((x + 2 * y) % 50 < 20 ? 230 : 12 * c);
      }
    }
  }
  return { width, height, data: Uint8Array.from(data), ...details };
}

/** FNV-1a with 64 bits, as the lists write it. */
export function hash(bytes) {
  // The prime is 2^40 + 435, so a product modulo 2^64 is one of each half by 435, and a shift.
  let [high, low] = [0xcbf29ce4, 0x84222325];
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    const product = low * 435;
    high = (Math.imul(high, 435) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  return [high, low].map((half) => half.toString(16).padStart(8, "0")).join("");
}

/** What is wrong with a list of cases: a line for each that differs; empty if none does. `codec` may be a worker. */
export async function differences(codec, list) {
  const found = [];
  for (const expected of cases(list)) {
    const [details] = FORMATS[expected.name];
    const { quality, chunkRows, name, width, height } = expected;
    const file = unwrap(await codec.encode(picture(expected), { quality, chunkRows }));
    const asked = OWNED.includes(name) ? { format: "stream" } : details;
    const decoded = unwrap(await codec.decode(file, asked));
    const line = `${name} ${width}x${height} q${quality} c${chunkRows} ${file.length} `
      + `${hash(file)} ${hash(decoded.data)}`;
    if (line !== expected.line) found.push(`expected ${expected.line}, found ${line}`);
  }
  return found;
}

/** What is wrong with the frozen files, which `read` gets by name. */
export async function frozenDifferences(codec, list, read) {
  const found = [];
  for (const line of lines(list)) {
    const [name, expected] = line.split(" ");
    const decoded = unwrap(await codec.decode(await read(name), { format: "stream" }));
    const got = hash(decoded.data);
    if (got !== expected) found.push(`${name}: expected ${expected}, found ${got}`);
  }
  return found;
}

/** A worker's results come with their time. */
function unwrap(answer) {
  return "milliseconds" in answer ? answer.result : answer;
}
