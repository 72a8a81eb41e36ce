// What the page downloads before the first picture, compressed as servers do it.
import { readFileSync, readdirSync } from "node:fs";
import { brotliCompressSync, constants, gunzipSync, gzipSync } from "node:zlib";

const at = (path) => new URL(`../${path}`, import.meta.url);
const brotli = (bytes) =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });

const scripts = ["dist", "demo"].flatMap((folder) =>
  readdirSync(at(`site/${folder}`)).filter((n) => n.endsWith(".js")).map((n) => `site/${folder}/${n}`));
const parts = {
  "page and scripts": ["site/index.html", "site/style.css", ...scripts].map((f) => readFileSync(at(f))),
  "pinhole.wasm": [readFileSync(at("site/dist/pinhole.wasm"))],
  "model": [gunzipSync(readFileSync(at("site/dist/photo.pinm.gz")))],
};
const sum = (buffers, pack) => buffers.reduce((total, b) => total + pack(b).length, 0);
const rows = Object.entries(parts).map(([part, files]) => ({
  part,
  raw: sum(files, (b) => b),
  gzip: sum(files, (b) => gzipSync(b, { level: 9 })),
  brotli: sum(files, brotli),
}));
const total = (key) => rows.reduce((all, row) => all + row[key], 0);
rows.push({ part: "all", raw: total("raw"), gzip: total("gzip"), brotli: total("brotli") });
console.table(rows);
