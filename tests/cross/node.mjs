// Runs the conformance set in a WebAssembly build of the harness: node node.mjs <harness.wasm> <root of the repository>
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [module, root] = process.argv.slice(2);
const at = (...parts) => readFileSync(join(root, ...parts));
const { instance } = await WebAssembly.instantiate(readFileSync(module), {});
const wasm = instance.exports;
let failures = 0;

// Hands over the inputs, calls the function, prints what it says.
function run(title, name, ...inputs) {
  for (const bytes of inputs) {
    const place = wasm.input(bytes.length);
    new Uint8Array(wasm.memory.buffer, place, bytes.length).set(bytes);
  }
  const start = performance.now();
  const passed = wasm[name]() === 1;
  const took = ((performance.now() - start) / 1000).toFixed(1);
  const report = Buffer.from(wasm.memory.buffer, wasm.report(), wasm.report_len()).toString();
  console.log(`${passed ? "ok" : "FAILED"}: ${title}: ${report} (${took} s)`);
  failures += passed ? 0 : 1;
}

const toy = at("tests/conformance/toy.pinm");
run("kernels", "kernels");
run("toy model", "toy", toy, at("tests/conformance/v1.txt"));
run("photo model", "photo", at("models/zoo/photo/photo.pinm"), at("tests/conformance/photo.txt"));
const frozen = at("tests/conformance/frozen.txt").toString().split("\n");
for (const line of frozen.filter((l) => l && !l.startsWith("#"))) {
  const [name, hash] = line.split(" ");
  run(name, "frozen", toy, at("tests/conformance/frozen", name), Buffer.from(hash));
}
process.exit(failures === 0 ? 0 : 1);
