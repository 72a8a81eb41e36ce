// How fast the worker encodes and decodes in Chromium: the least time of many runs, because other work on the machine
// only ever adds to it.
//   npm run speed [-- picture [runs]]
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { launch } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const picture = process.argv[2] ?? fileURLToPath(new URL("../../../samples/astronaut.png", import.meta.url));
const runs = Number(process.argv[3] ?? 40);
const server = await serve();
const { context, close } = await launch();
try {
  const page = await context.newPage();
  await page.route(`${server.url}picture`, async (route) => route.fulfill({ body: await readFile(picture) }));
  // The package's own model has one effort and one decoder.
  const whole = fileURLToPath(new URL("../../../models/zoo/photo/photo.pinm", import.meta.url));
  await page.route(`${server.url}model`, async (route) => route.fulfill({ body: await readFile(whole) }));
  await page.goto(server.url);
  const ways = [
    ["pinhole.wasm", "default", "lite"],
    ["pinhole.wasm", "fast", "lite"],
    ["pinhole.wasm", "default", "standard"],
    ["pinhole-scalar.wasm", "default", "lite"],
  ];
  for (const [module, effort, decoder] of ways) {
    const best = await page.evaluate(async ({ base, module, effort, decoder, runs }) => {
      const { PinholeWorker } = await import(`${base}dist/index.js`);
      const { read } = await import(`${base}demo/pictures.js`);
      const { pixels } = await read(await (await fetch("picture")).blob(), "picture");
      const codec = await PinholeWorker.open({ module: `dist/${module}`, model: "model" });
      let [encode, decode, bytes] = [Infinity, Infinity, 0];
      for (let run = 0; run < runs; run++) {
        const encoded = await codec.encode(pixels, { quality: 50, effort });
        const decoded = await codec.decode(encoded.result, { decoder });
        encode = Math.min(encode, encoded.milliseconds);
        decode = Math.min(decode, decoded.milliseconds);
        bytes = encoded.result.length;
      }
      codec.close();
      return { encode, decode, bytes, width: pixels.width, height: pixels.height };
    }, { base: server.url, module, effort, decoder, runs: module.includes("scalar") ? Math.ceil(runs / 10) : runs });
    const rate = (ms) => `${ms.toFixed(1)} ms, ${((best.width * best.height) / ms / 1e3).toFixed(2)} Mpixel/s`;
    console.log(`${module}, ${effort}, ${decoder}, ${best.width}x${best.height}, quality 50, ${best.bytes} bytes: `
      + `encode ${rate(best.encode)}; decode ${rate(best.decode)}`);
  }
} finally {
  await close();
  server.close();
}
