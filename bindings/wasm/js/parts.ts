// Where the module and the model come from.

import { PinholeError, type Part } from "./types.js";

// A module with one SIMD instruction (i8x16.splat): hosts without SIMD refuse it.
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
];

/** Whether this host has 128-bit SIMD. */
export function hasSimd(): boolean {
  return WebAssembly.validate(new Uint8Array(SIMD));
}

/** The module for this host. */
export function defaultModule(): URL {
  // Spelled out twice, so that bundlers see both files.
  return hasSimd()
    ? new URL("./pinhole.wasm", import.meta.url)
    : new URL("./pinhole-scalar.wasm", import.meta.url);
}

/** The shipped model. */
export function defaultModel(): URL {
  return new URL("./photo.pinm.gz", import.meta.url);
}

/** The bytes of a part, unpacked if they are gzipped. Throws a PinholeError if they cannot be had. */
export async function load(part: Part): Promise<Uint8Array> {
  const bytes = typeof part === "string" || part instanceof URL ? await get(part) : view(part);
  // A server may have unpacked it on the way, so the bytes decide and not the name.
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const packed = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  const stream = packed.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function view(bytes: Uint8Array | ArrayBuffer): Uint8Array {
  return bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
}

async function get(place: URL | string): Promise<Uint8Array> {
  const url = new URL(place, import.meta.url);
  if (url.protocol === "file:") {
    // Node's fetch does not read files. The name is not a literal, lest bundlers look for it.
    const name = "node:fs/promises";
    return (await import(name)).readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new PinholeError(`${url.href}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
