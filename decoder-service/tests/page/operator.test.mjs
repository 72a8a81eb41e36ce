// The operator page in a real browser (Chromium, headless), of a real service on models/zoo/photo.
//
//     cargo build --release -p pinhole-serve && npm ci --prefix bindings/wasm
//     node --test decoder-service/tests/page/operator.test.mjs
//
// PINHOLE_SERVE names another server program, CHROMIUM another browser; without a browser the tests are skipped.
// SCREENSHOT names a file for a picture of the page.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { launch } from "../../../bindings/wasm/scripts/chromium.mjs";

const repository = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const PROGRAM = process.env.PINHOLE_SERVE ?? repository("target/release/pinhole-serve");
const browser = process.env.CHROMIUM ?? "/usr/bin/chromium";
const skip = existsSync(browser) ? false : `no browser at ${browser}`;
const TOKEN = "open sesame";

/** A service on two versions of the model, the first of them in production. */
async function start(t, settings = "") {
  const folder = await mkdtemp(join(tmpdir(), "pinhole-page-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const version of ["1", "2"]) {
    await mkdir(join(folder, "models/photo", version), { recursive: true });
    await copyFile(repository("models/zoo/photo/photo.pinm"), join(folder, `models/photo/${version}/model.pinm`));
  }
  const config = join(folder, "serve.toml");
  await writeFile(config, `listen = "127.0.0.1:0"\nrepository = "${folder}/models"\ncache_bytes = 0\n${settings}`);
  const server = spawn(PROGRAM, [config], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => server.kill());
  return await new Promise((done, failed) => {
    server.on("error", failed);
    server.on("exit", () => failed(new Error("the service ended")));
    server.stdout.on("data", (line) => done(String(line).trim().replace("listening on ", "")));
  });
}

/** The page, once it shows what `ready` waits for; errors on it fail the test. */
async function open(t, url) {
  const { context, close } = await launch();
  const errors = [];
  t.after(async () => {
    await close();
    assert.deepEqual(errors, []);
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(url)) errors.push(`asked for ${request.url()}`); });
  await page.goto(`${url}/operator`);
  return page;
}

const rows = (page, id) => page.locator(`#${id} tr`).evaluateAll((all) =>
  all.map((row) => [...row.children].map((cell) => cell.textContent)));

async function post(url, path, body, headers = {}) {
  const answer = await fetch(`${url}${path}`, { method: "POST", body, headers });
  assert.equal(answer.status, 200, `${path}: ${answer.status}`);
  return { headers: answer.headers, body: new Uint8Array(await answer.arrayBuffer()) };
}

test("models, a trial, curves and decodes are shown", { skip, timeout: 180_000 }, async (t) => {
  const url = await start(t);
  const streams = [];
  for (const [sample, quality] of [["coffee.png", 40], ["chelsea.png", 60], ["astronaut.png", 80], ["rocket.jpg", 20]]) {
    const picture = await readFile(repository(`samples/${sample}`));
    streams.push((await post(url, `/v1/encode?quality=${quality}`, picture)).body);
  }
  await post(url, "/v1/models/photo/rollout", JSON.stringify({ version: 2, share: 0.5, slo: { p95_ratio: 1000 } }));
  const page = await open(t, url);
  // A point of the curves comes every ten seconds, and two make a line.
  const points = () => page.locator("#curves polyline").evaluateAll((lines) =>
    Math.max(0, ...lines.map((line) => line.getAttribute("points").split(" ").length)));
  const sizes = new Map();
  let decodes = 0;
  for (const end = Date.now() + 120_000; await points() < 3;) {
    assert.ok(Date.now() < end, "no curves");
    const stream = streams[decodes % streams.length];
    const { headers } = await post(url, "/v1/decode", stream, { "x-pinhole-key": `camera ${decodes}` });
    sizes.set(String(stream.length), `${headers.get("x-pinhole-width")}×${headers.get("x-pinhole-height")}`);
    decodes += 1;
    await new Promise((done) => setTimeout(done, 100));
  }
  await page.waitForTimeout(2500);

  const models = await rows(page, "models");
  assert.deepEqual(models[0].slice(0, 4), ["model", "version", "stage", "serves as"]);
  const served = (version) => models.find((row) => row[0] === "photo" && row[1] === version);
  assert.equal(served("1")[3], "champion");
  assert.equal(served("1")[2], "production");
  assert.equal(served("2")[3], "challenger");

  const [, trial] = await rows(page, "trials");
  assert.equal(trial[1], "2 against 1, canary");
  assert.equal(trial[2].trim(), "50.0 %");
  assert.equal(trial[3], "running");
  // Both versions are one model: a comparison of the same pictures has no difference.
  assert.ok(Number(trial[7]) > 60 || trial[7] === "–", `PSNR ${trial[7]}`);

  const titles = await page.locator("#curves figcaption").allTextContents();
  assert.ok(titles.some((title) => /^median, ms — photo 1: \d/.test(title)), titles.join("; "));
  assert.ok(titles.some((title) => title.startsWith("95th percentile")), titles.join("; "));
  for (const line of await page.locator("#curves polyline").all()) {
    assert.match(await line.getAttribute("points"), /^(\d+(\.\d+)?,\d+(\.\d+)? ?)+$/);
  }

  const recent = (await rows(page, "recent")).slice(1);
  assert.equal(recent.length, Math.min(50, decodes));
  for (const row of recent) {
    assert.equal(row[1], "photo");
    assert.equal(row[3], sizes.get(row[4]), row.join(" "));
    assert.ok(Number(row[5]) > 0);
    // The score of every frame: how far its bits are from the expected.
    assert.match(row[6], /^(-?\d+\.\d\d|–)$/);
  }
  assert.match(await page.locator("#state").textContent(), /^queue \d+ of 64/);
  if (process.env.SCREENSHOT) {
    await page.locator("#recent tr").evaluateAll((all) => all.slice(9).forEach((row) => row.remove()));
    await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
  }
});

test("where tokens are needed the page asks for one, and keeps no data without it", { skip, timeout: 60_000 }, async (t) => {
  const hash = createHash("sha256").update(TOKEN).digest("hex");
  const url = await start(t, `[[tokens]]\nname = "ops"\nsha256 = "${hash}"\nscopes = ["read"]\n`);
  // The browser itself writes every refused request to its console.
  const { context, close } = await launch();
  t.after(close);
  const page = await context.newPage();
  await page.goto(`${url}/operator`);
  await page.waitForFunction(() => /valid token/.test(document.getElementById("state").textContent));
  assert.deepEqual(await rows(page, "models"), []);
  await page.fill("#token", TOKEN);
  await page.locator("#token").blur();
  await page.waitForFunction(() => document.querySelectorAll("#models tr").length === 3);
});
