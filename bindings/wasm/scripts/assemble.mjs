// Puts the model beside the code, and the demo page together: site/ is what a web server needs, and all it needs.
import { execFileSync } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

const at = (path) => new URL(`../${path}`, import.meta.url);

// Of the model's transforms, one to encode and the small one to decode: a fifth of the bytes to download.
await mkdir(at("dist"), { recursive: true });
execFileSync("cargo", [
  "run", "--release", "--quiet", "--package", "pinhole", "--example", "slim", "--",
  "models/zoo/photo/photo.pinm", fileURLToPath(at("dist/photo.pinm")), "default", "lite",
], { cwd: fileURLToPath(at("../..")), stdio: "inherit" });
const model = await readFile(at("dist/photo.pinm"));
await rm(at("dist/photo.pinm"));
await writeFile(at("dist/photo.pinm.gz"), await promisify(gzip)(model, { level: 9 }));

await cp(at("dist"), at("site/dist"), { recursive: true, filter: (path) => !path.endsWith(".d.ts") });
for (const name of ["index.html", "style.css"]) await cp(at(`demo/${name}`), at(`site/${name}`));
await cp(at("../../samples/chelsea.png"), at("site/chelsea.png"));
