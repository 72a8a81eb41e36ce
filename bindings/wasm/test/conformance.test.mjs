// The conformance set through the package, in Node, with and without SIMD: same files, same pixels.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { Codec } from "../dist/index.js";
import { cases, differences, frozenDifferences, hash, lines } from "./cases.mjs";

const conformance = (name) => new URL(`../../../tests/conformance/${name}`, import.meta.url);
const list = (name) => readFile(conformance(name), "utf8");
const toy = await readFile(conformance("toy.pinm"));
// The package has some of its parts only.
const photo = await readFile(new URL("../../../models/zoo/photo/photo.pinm", import.meta.url));

test("the hash is FNV-1a", () => {
  assert.equal(hash([]), "cbf29ce484222325");
  assert.equal(hash(new TextEncoder().encode("foobar")), "85944171f73967e8");
});

for (const name of ["pinhole.wasm", "pinhole-scalar.wasm"]) {
  const module = await readFile(new URL(`../dist/${name}`, import.meta.url));

  test(`${name}: toy model`, async () => {
    const codec = await Codec.open({ module, model: toy });
    const text = await list("v1.txt");
    assert.ok(cases(text).length > 100);
    assert.deepEqual(await differences(codec, text), []);
    codec.close();
  });

  test(`${name}: frozen files`, async () => {
    const codec = await Codec.open({ module, model: toy });
    const text = await list("frozen.txt");
    assert.ok(lines(text).length >= 5);
    const read = (file) => readFile(conformance(`frozen/${file}`));
    assert.deepEqual(await frozenDifferences(codec, text, read), []);
    codec.close();
  });

  test(`${name}: shipped model`, async () => {
    const codec = await Codec.open({ module, model: photo });
    const text = await list("photo.txt");
    assert.ok(cases(text).length > 10);
    assert.deepEqual(await differences(codec, text), []);
    codec.close();
  });
}
