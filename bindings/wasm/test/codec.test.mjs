// What the package promises beside the right bits: errors instead of crashes, metadata, targets, alpha.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { Codec, PinholeError } from "../dist/index.js";

const codec = await Codec.open();
const refuses = (work, words) =>
  assert.throws(work, (error) => error instanceof PinholeError && words.test(error.message));

/** RGBA waves. */
function waves(width, height, alpha = 255) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    data.set([128 + 90 * Math.sin(x / 9), 128 + 80 * Math.cos(y / 7), (x + y) % 256, alpha], 4 * i);
  }
  return { width, height, data };
}

test("a picture comes back much as it was", () => {
  const picture = waves(200, 120);
  const file = codec.encode(picture, { quality: 80 });
  const decoded = codec.decode(file);
  assert.equal(decoded.data.length, picture.data.length);
  assert.deepEqual([decoded.width, decoded.height, decoded.quality], [200, 120, 80]);
  let squares = 0;
  for (let i = 0; i < decoded.data.length; i++) squares += (decoded.data[i] - picture.data[i]) ** 2;
  const psnr = 10 * Math.log10(255 ** 2 / (squares / (200 * 120 * 3)));
  assert.ok(psnr > 30, `${psnr} dB`);
});

test("opaque alpha of a canvas is dropped, other alpha is kept exactly", () => {
  const opaque = waves(70, 50);
  const clear = waves(70, 50);
  for (let i = 0; i < 70 * 50; i++) clear.data[4 * i + 3] = (i * 7) % 256;
  const before = opaque.data.slice();
  assert.equal(codec.inspect(codec.encode(opaque)).format, "rgb8");
  assert.deepEqual(opaque.data, before, "the caller's pixels are left alone");
  const decoded = codec.decode(codec.encode(clear));
  assert.equal(decoded.format, "rgba8");
  for (let i = 3; i < decoded.data.length; i += 4) assert.equal(decoded.data[i], clear.data[i]);
  assert.equal(codec.inspect(codec.encode({ ...opaque, format: "rgba8" })).format, "rgba8");
});

test("the package's model has one effort and the small decoder; a whole one has all", async () => {
  const picture = waves(64, 64);
  const file = codec.encode(picture);
  assert.deepEqual(codec.decode(file).data, codec.decode(file, { decoder: "lite" }).data);
  refuses(() => codec.decode(file, { decoder: "standard" }), /SYNT/);
  refuses(() => codec.encode(picture, { effort: "best" }), /effort best.*SYNT/);
  const model = await readFile(new URL("../../../models/zoo/photo/photo.pinm", import.meta.url));
  const whole = await Codec.open({ model });
  assert.deepEqual(whole.encode(picture), file, "the same latent space");
  const standard = whole.decode(file, { decoder: "standard" }).data;
  assert.deepEqual(whole.decode(file).data, standard);
  assert.deepEqual(whole.decode(file, { decoder: "lite" }).data, codec.decode(file).data);
  assert.notDeepEqual(standard, codec.decode(file).data);
  whole.close();
});

test("tunes differ, and others are refused", () => {
  const picture = waves(200, 120);
  const file = codec.encode(picture);
  assert.deepEqual(codec.encode(picture, { tune: "perceptual" }), file);
  const other = codec.encode(picture, { tune: "psnr" });
  assert.notDeepEqual(other, file);
  assert.equal(codec.decode(other).width, 200);
  refuses(() => codec.encode(picture, { tune: "film" }), /no tune/);
});

test("a target size is met and used", () => {
  const picture = waves(256, 256);
  for (const targetBytes of [2000, 5000]) {
    const { length } = codec.encode(picture, { targetBytes });
    assert.ok(length <= targetBytes && length > 0.8 * targetBytes, `${length} of ${targetBytes}`);
  }
  refuses(() => codec.encode(picture, { targetBytes: 20 }), /cannot reach 20 bytes/);
});

test("metadata is carried", () => {
  const metadata = {
    icc: Uint8Array.from({ length: 3000 }, (_, i) => i % 251),
    xmp: new TextEncoder().encode("<x:xmpmeta/>"),
  };
  const file = codec.encode(waves(20, 20), { metadata });
  assert.deepEqual(codec.decode(file).metadata, metadata);
  assert.deepEqual(codec.inspect(file).metadata, metadata);
  assert.deepEqual(codec.inspect(codec.encode(waves(20, 20))).metadata, {}, "used up");
});

test("options and sides out of range are refused", () => {
  const picture = waves(16, 16);
  refuses(() => codec.encode(picture, { quality: 101 }), /quality 101/);
  refuses(() => codec.encode(picture, { quality: NaN }), /quality NaN/);
  refuses(() => codec.encode(picture, { chunkRows: 100 }), /100 chunk rows/);
  for (const width of [0, -1, 1.5, NaN, 65536, 2 ** 32 + 16]) {
    refuses(() => codec.encode({ ...picture, width }), /each side must be/);
  }
  refuses(() => codec.encode({ ...picture, height: 17 }), /are needed/);
  refuses(() => codec.encode({ ...picture, data: new Uint8Array(0) }), /are needed/);
  assert.throws(() => codec.encode({ ...picture, format: "cmyk" }), TypeError);
});

test("damaged and hostile files are refused, or filled in if that is asked for", () => {
  const file = codec.encode(waves(130, 400), { chunkRows: 64, quality: 90 });
  refuses(() => codec.decode(new Uint8Array(0)), /./);
  refuses(() => codec.decode(file.subarray(0, file.length - 1)), /./);
  refuses(() => codec.decode(file, { maxPixels: 1000 }), /more than the limit of 1000/);
  const damaged = file.slice();
  damaged[Math.floor(file.length / 2)] ^= 0x10;
  refuses(() => codec.decode(damaged), /./);
  const filled = codec.decode(damaged, { conceal: true });
  assert.equal(filled.damagedChunks, 1);
  assert.equal(filled.data.length, 130 * 400 * 4);
  // Every byte changed in turn: an error or a picture, never a crash.
  const small = codec.encode(waves(40, 40));
  let refused = 0;
  for (let i = 0; i < small.length; i++) {
    const hostile = small.slice();
    hostile[i] ^= 0xff;
    try {
      codec.decode(hostile, { conceal: i % 2 === 0 });
    } catch (error) {
      assert.ok(error instanceof PinholeError, String(error));
      refused++;
    }
  }
  assert.ok(refused > small.length / 4);
  assert.equal(codec.decode(small).width, 40, "the codec still works");
});

test("a file of another model is refused, but its header can be read", async () => {
  const toy = await readFile(new URL("../../../tests/conformance/toy.pinm", import.meta.url));
  const other = await Codec.open({ model: toy });
  const file = other.encode(waves(30, 30));
  refuses(() => codec.decode(file), /latent space/);
  assert.equal(codec.inspect(file).width, 30);
  other.close();
  refuses(() => other.encode(waves(30, 30)), /closed/);
  other.close();
});

test("what is no model or no module is refused", async () => {
  await assert.rejects(Codec.open({ model: new Uint8Array(100) }), PinholeError);
  await assert.rejects(Codec.open({ module: new Uint8Array(100) }), WebAssembly.CompileError);
  await assert.rejects(Codec.open({ model: new URL("./no-such-file", import.meta.url) }), /no-such-file/);
});

test("memory does not grow from picture to picture", async () => {
  const own = await Codec.open();
  const picture = waves(300, 300);
  const rounds = (n) => { for (let i = 0; i < n; i++) own.decode(own.encode(picture)); };
  // The first rounds find their places.
  rounds(3);
  const before = own.memoryBytes;
  rounds(12);
  assert.equal(own.memoryBytes, before);
  own.close();
});
