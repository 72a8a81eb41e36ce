// Puts the model beside the code, and the demo page together: site/ is what a web server needs, and all it needs.
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

const at = (path) => new URL(`../${path}`, import.meta.url);

const model = await readFile(at("../../models/zoo/photo/photo.pinm"));
await mkdir(at("dist"), { recursive: true });
await writeFile(at("dist/photo.pinm.gz"), await promisify(gzip)(model, { level: 9 }));

await cp(at("dist"), at("site/dist"), { recursive: true, filter: (path) => !path.endsWith(".d.ts") });
for (const name of ["index.html", "style.css"]) await cp(at(`demo/${name}`), at(`site/${name}`));
await cp(at("../../samples/chelsea.png"), at("site/chelsea.png"));
