// The package and the demo page in a real browser: Chromium, headless. SCREENSHOT and SCREENSHOT_PHONE name files for
// pictures of the page.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { Codec } from "../dist/index.js";
import { launch } from "../scripts/chromium.mjs";
import { serve } from "../scripts/serve.mjs";
import { hash, lines } from "./cases.mjs";

const repository = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
let server, browser;
/** Addresses that were asked for elsewhere than at our server. */
const strange = [];

before(async () => {
  server = await serve();
  browser = await launch();
  browser.context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(server.url) && !/^(blob|data):/.test(url)) strange.push(url);
  });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** An open page that fails the test if a script on it fails. */
async function open(t) {
  const page = await browser.context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  t.after(async () => {
    await page.close();
    assert.deepEqual(errors, []);
  });
  await page.goto(server.url);
  return page;
}

/** Waits until the page has nothing left to say, and returns its table. */
async function numbers(page, name) {
  await page.waitForFunction(
    (name) => document.getElementById("status").textContent === ""
      && document.getElementById("note").textContent !== ""
      && document.getElementById("download").download === name,
    name, { timeout: 60_000 });
  return page.locator("#numbers tr").evaluateAll((rows) =>
    rows.map((row) => [...row.children].map((cell) => cell.textContent)));
}

/** Bytes that the page says: "9451 B", "40.5 kB". */
function bytes(text) {
  const [number, unit] = text.split(" ");
  return Number(number) * { B: 1, kB: 1000 }[unit];
}

/** Drops a file on the page as a user does. */
async function drop(page, name, bytes, type) {
  const data = await page.evaluateHandle(({ name, bytes, type }) => {
    const transfer = new DataTransfer();
    const array = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
    transfer.items.add(new File([array], name, { type }));
    return transfer;
  }, { name, bytes: bytes.toString("base64"), type });
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
}

/** The samples of a canvas. */
async function pixels(page, id) {
  const text = await page.locator(`#${id}`).evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let text = "";
    for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
    return btoa(text);
  });
  return Buffer.from(text, "base64");
}

/** Bytes behind the page's download link. */
async function saved(page) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  const bytes = await readFile(await download.path());
  return { name: download.suggestedFilename(), bytes };
}

test("the conformance set in the worker: the hashes that Node and every other processor gives", async (t) => {
  const page = await open(t);
  const text = (name) => readFile(repository(`tests/conformance/${name}`), "utf8");
  const lists = await Promise.all(["v1.txt", "photo.txt", "frozen.txt"].map(text));
  // Beside the page for this test only.
  const path = { "test/cases.mjs": fileURLToPath(new URL("cases.mjs", import.meta.url)) };
  path["test/toy.pinm"] = repository("tests/conformance/toy.pinm");
  path["test/photo.pinm"] = repository("models/zoo/photo/photo.pinm");
  for (const line of lines(lists[2])) {
    const name = line.split(" ")[0];
    path[`test/${name}`] = repository(`tests/conformance/frozen/${name}`);
  }
  for (const [place, file] of Object.entries(path)) {
    const contentType = file.endsWith(".mjs") ? "text/javascript" : "application/octet-stream";
    await page.route(server.url + place, (route) => route.fulfill({ path: file, contentType }));
  }
  const found = await page.evaluate(async ([base, toyList, photoList, frozenList]) => {
    const { PinholeWorker } = await import(`${base}dist/index.js`);
    const cases = await import(`${base}test/cases.mjs`);
    const toy = await PinholeWorker.open({ model: "test/toy.pinm" });
    const photo = await PinholeWorker.open({ model: "test/photo.pinm" });
    const read = async (name) => new Uint8Array(await (await fetch(`test/${name}`)).arrayBuffer());
    const result = [
      ...await cases.differences(toy, toyList),
      ...await cases.differences(photo, photoList),
      ...await cases.frozenDifferences(toy, frozenList, read),
    ];
    toy.close();
    photo.close();
    return result;
  }, [server.url, ...lists]);
  assert.deepEqual(found, []);
  assert.ok(lines(lists[0]).length > 100 && lines(lists[1]).length > 10);
});

test("a photograph is dropped, compared, and saved as the same .pin that Node makes", async (t) => {
  const page = await open(t);
  await drop(page, "coffee.png", await readFile(repository("samples/coffee.png")), "image/png");
  const table = await numbers(page, "coffee.pin");
  assert.deepEqual(table.map(([name]) => name.split(" ")[0]), ["Pinhole", "JPEG", "WebP"]);
  const [pin, jpeg, webp] = table.map(([, size]) => bytes(size));
  assert.ok(jpeg <= pin && jpeg > 0.85 * pin, `JPEG ${jpeg} bytes of ${pin}`);
  assert.ok(webp <= pin && webp > 0.85 * pin, `WebP ${webp} bytes of ${pin}`);
  const file = await saved(page);
  assert.equal(file.name, "coffee.pin");
  const codec = await Codec.open();
  const again = codec.decode(file.bytes);
  // What the page shows left of the line is what Node decodes.
  const shown = await pixels(page, "left");
  assert.equal(hash(shown), hash(again.data));
  if (process.env.SCREENSHOT) {
    await page.mouse.move(0, 0);
    await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
  }

  // The dial: a better quality, a larger file.
  await page.locator("#quality").fill("80");
  await page.waitForFunction((old) => document.getElementById("numbers").textContent !== old,
    await page.locator("#numbers").textContent());
  const better = await numbers(page, "coffee.pin");
  assert.ok(bytes(better[0][1]) > 1.5 * pin, `${better[0][1]} after ${pin} bytes`);
  assert.equal((await saved(page)).bytes.readUInt16LE(6), 8000, "the header has the dial's quality");
});

test("the right side shows what is chosen, and the line moves", async (t) => {
  const page = await open(t);
  await page.click("#sample");
  await numbers(page, "chelsea.pin");
  const seen = new Set();
  for (const kind of ["jpeg", "webp", "original"]) {
    await page.locator(`input[value=${kind}]`).check({ force: true });
    seen.add(hash(await pixels(page, "right")));
  }
  assert.equal(seen.size, 3);
  assert.equal(await page.locator("#right-tag").textContent(), "Original");
  const box = await page.locator("#pair").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2);
  await page.mouse.up();
  const at = await page.locator("#slider").inputValue();
  assert.ok(Math.abs(Number(at) - 20) < 1, at);
  await page.click("#zoom");
  assert.equal(await page.locator("#left").evaluate((c) => c.getBoundingClientRect().width), 451);
});

test("a .pin is dropped and opens; what is neither picture nor .pin is said to be so", async (t) => {
  const page = await open(t);
  const codec = await Codec.open();
  const data = new Uint8ClampedArray(90 * 70 * 4).fill(255).map((v, i) => (i % 4 === 3 ? v : (i * 3) % 256));
  const file = codec.encode({ width: 90, height: 70, data }, { quality: 70 });
  await drop(page, "small.pin", Buffer.from(file), "");
  const table = await numbers(page, "small.pin");
  assert.equal(table.length, 1);
  assert.equal(hash(await pixels(page, "left")), hash(codec.decode(file).data));
  assert.match(await page.locator("#note").textContent(), /90 × 70, quality 70/);
  assert.deepEqual((await saved(page)).bytes, Buffer.from(file));
  await drop(page, "notes.txt", Buffer.from("no picture"), "text/plain");
  await page.waitForFunction(() => document.querySelector("#status.error")?.textContent.includes("notes.txt"));
  // A header without the rest.
  await drop(page, "cut.pin", Buffer.from(file.subarray(0, 20)), "");
  await page.waitForFunction(() => /bytes/.test(document.querySelector("#status.error")?.textContent));
});

test("it fits a phone", async (t) => {
  const page = await open(t);
  await page.setViewportSize({ width: 375, height: 740 });
  await page.click("#sample");
  await numbers(page, "chelsea.pin");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 375, `${wide} pixels wide`);
  for (const id of ["quality", "download", "slider", "zoom"]) {
    const box = await page.locator(`#${id}`).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 375 && box.height >= 30, `${id}: ${JSON.stringify(box)}`);
  }
  if (process.env.SCREENSHOT_PHONE) {
    await page.screenshot({ path: process.env.SCREENSHOT_PHONE, fullPage: true });
  }
});

test("the scalar module works in the browser, too, and errors come back from the worker", async (t) => {
  const page = await open(t);
  const found = await page.evaluate(async (base) => {
    const { PinholeWorker } = await import(`${base}dist/index.js`);
    const codec = await PinholeWorker.open({ module: "dist/pinhole-scalar.wasm" });
    const picture = new ImageData(64, 48);
    const { result, milliseconds } = await codec.encode(picture, { quality: 30 });
    const info = (await codec.inspect(result)).result;
    const error = await codec.encode(picture, { quality: -1 }).catch(String);
    codec.close();
    const closed = await codec.decode(result).catch(String);
    return { width: info.width, milliseconds, error, closed };
  }, server.url);
  assert.equal(found.width, 64);
  assert.ok(found.milliseconds > 0);
  assert.match(found.error, /PinholeError: quality -1/);
  assert.match(found.closed, /closed/);
});

test("nothing is asked of other servers", () => {
  assert.deepEqual(strange, []);
});
