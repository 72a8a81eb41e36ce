// The codec on the caller's thread: what the worker runs, and for Node.

import { formatCode, streamFormat } from "./formats.js";
import { defaultModel, defaultModule, load } from "./parts.js";
import {
  PinholeError,
  type DecodeOptions,
  type Decoded,
  type EncodeOptions,
  type Info,
  type Metadata,
  type Picture,
  type Sources,
} from "./types.js";

/** The module's exports; src/lib.rs says what they do. Addresses are signed here. */
interface Border {
  memory: WebAssembly.Memory;
  pinhole_abi(): number;
  pinhole_alloc(len: number): number;
  pinhole_free(place: number, len: number): void;
  pinhole_message(): number;
  pinhole_message_len(): number;
  pinhole_open(model: number, len: number): number;
  pinhole_close(session: number): void;
  pinhole_add_record(session: number, kind: number, data: number, len: number): void;
  pinhole_clear_records(session: number): void;
  pinhole_encode(
    session: number, pixels: number, len: number, width: number, height: number, format: number,
    quality: number, target: number, chunkRows: number, effort: number, tune: number,
  ): number;
  pinhole_decode(
    session: number, file: number, len: number, format: number, conceal: number, maxPixels: number,
    synthesis: number,
  ): number;
  pinhole_inspect(session: number, file: number, len: number): number;
  pinhole_report(session: number): number;
  pinhole_record(session: number, index: number, out: number): number;
}

const ABI = 4;
const KINDS = { icc: 1, exif: 2, xmp: 3 } as const;
const EFFORTS = ["fast", "default", "best"] as const;
const TUNES = ["perceptual", "psnr"] as const;
const DECODERS = ["standard", "lite", "any"] as const;
const DEFAULT_MAX_PIXELS = 2 ** 26;

/** The numbers of the module's report. */
interface Report {
  width: number;
  height: number;
  format: number;
  quality: number;
  chunkRows: number;
  damaged: number;
  records: number;
  output: number;
  outputLen: number;
}

/**
 * A model with its encoder and decoder. Calls block their thread: in a page use PinholeWorker. `close` frees the
 * memory; a codec that is dropped is freed with its module instance.
 */
export class Codec {
  #border: Border;
  #session: number;
  /** Set when the module has trapped or the codec was closed: why no further call is possible. */
  #dead: string | undefined;

  private constructor(border: Border, session: number) {
    this.#border = border;
    this.#session = session;
  }

  /** Loads module and model. Throws a PinholeError if one of them cannot be had or is not what it should be. */
  static async open(sources: Sources = {}): Promise<Codec> {
    const [module, model] = await Promise.all([
      load(sources.module ?? defaultModule()),
      load(sources.model ?? defaultModel()),
    ]);
    const { instance } = await WebAssembly.instantiate(module as Uint8Array<ArrayBuffer>, {});
    const border = instance.exports as unknown as Border;
    if (border.pinhole_abi() !== ABI) throw new PinholeError("the module is of another version");
    const session = withBytes(border, model, (place, len) => border.pinhole_open(place, len));
    if (session === 0) throw new PinholeError(message(border));
    return new Codec(border, session);
  }

  /**
   * Encodes a picture to a file. Throws a PinholeError for options or sides out of range, too few samples, and a
   * target that cannot be reached.
   */
  encode(picture: Picture, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
    const code = formatCode(picture.format ?? "canvas", picture);
    // Zero means no target at the border; a target of no bytes cannot be reached anyway.
    const target = options.targetBytes === undefined ? 0 : Math.max(1, options.targetBytes);
    const report = this.#call((border, session) => {
      border.pinhole_clear_records(session);
      for (const [name, kind] of Object.entries(KINDS)) {
        const data = options.metadata?.[name as keyof Metadata];
        if (data) withBytes(border, data, (p, n) => border.pinhole_add_record(session, kind, p, n));
      }
      return withBytes(border, picture.data, (place, len) =>
        border.pinhole_encode(
          session, place, len, unsigned(picture.width), unsigned(picture.height), code,
          options.quality ?? 50, target, unsigned(options.chunkRows ?? 256),
          EFFORTS.indexOf(options.effort ?? "default"), TUNES.indexOf(options.tune ?? "perceptual"),
        ));
    });
    return this.#copy(report.output, report.outputLen);
  }

  /**
   * Decodes a file. Throws a PinholeError for anything but a whole file made for this model; with `conceal` only if
   * the header is damaged, the model another, or nothing is left.
   */
  decode(file: Uint8Array, options: DecodeOptions = {}): Decoded {
    const format = options.format ?? "rgba8";
    const code = format === "stream" ? -1 : formatCode(format, options);
    const maxPixels = options.maxPixels ?? DEFAULT_MAX_PIXELS;
    const conceal = options.conceal ? 1 : 0;
    const decoder = DECODERS.indexOf(options.decoder ?? "any");
    const report = this.#call((border, session) =>
      withBytes(border, file, (place, len) =>
        border.pinhole_decode(session, place, len, code, conceal, maxPixels, decoder)));
    const bytes = this.#copy(report.output, report.outputLen);
    const data = new Uint8ClampedArray(bytes.buffer);
    return { ...this.#info(report), data, damagedChunks: report.damaged };
  }

  /** Reads header and metadata of a file, whatever its model. Throws a PinholeError if the header is damaged. */
  inspect(file: Uint8Array): Info {
    return this.#info(this.#call((border, session) =>
      withBytes(border, file, (place, len) => border.pinhole_inspect(session, place, len))));
  }

  /** Bytes that the module holds: grows to what the largest picture needed, and does not shrink. */
  get memoryBytes(): number {
    return this.#border.memory.buffer.byteLength;
  }

  /** Frees the memory. Later calls throw. */
  close(): void {
    if (this.#dead === undefined) this.#border.pinhole_close(this.#session);
    this.#dead = "the codec is closed";
  }

  /** Calls the module and reads its report. */
  #call(work: (border: Border, session: number) => number): Report {
    if (this.#dead !== undefined) throw new PinholeError(this.#dead);
    let status;
    try {
      status = work(this.#border, this.#session);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      // The module stops like this when it cannot have the memory it needs. Its state is then unknown.
      this.#dead = `the module has stopped, probably for lack of memory (${error.message})`;
      throw new PinholeError(this.#dead);
    }
    if (status !== 0) throw new PinholeError(message(this.#border));
    const report = this.#border.pinhole_report(this.#session) >>> 0;
    const words = new Uint32Array(this.#border.memory.buffer, report, 9);
    const [width, height, format, quality, chunkRows, damaged, records, output, outputLen] =
      words as unknown as [number, number, number, number, number, number, number, number, number];
    return { width, height, format, quality, chunkRows, damaged, records, output, outputLen };
  }

  #info(report: Report): Info {
    return {
      width: report.width,
      height: report.height,
      format: streamFormat(report.format),
      quality: report.quality / 100,
      chunkRows: report.chunkRows,
      metadata: this.#metadata(report.records),
    };
  }

  #metadata(count: number): Metadata {
    const metadata: Metadata = {};
    const border = this.#border;
    for (let index = 0; index < count; index++) {
      const [kind, place, len] = withBytes(border, new Uint8Array(12), (out) => {
        border.pinhole_record(this.#session, index, out);
        return [...new Uint32Array(border.memory.buffer, out >>> 0, 3)] as [number, number, number];
      });
      const name = Object.entries(KINDS).find(([, code]) => code === kind)?.[0];
      if (name) metadata[name as keyof Metadata] = this.#copy(place, len);
    }
    return metadata;
  }

  #copy(place: number, len: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#border.memory.buffer, place, len).slice() as Uint8Array<ArrayBuffer>;
  }
}

/** A number as the module takes it: what is no 32-bit unsigned integer becomes 0, which it refuses. */
function unsigned(value: number): number {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? value : 0;
}

/** Copies bytes into the module for the time of some work. */
function withBytes<T>(
  border: Border,
  bytes: Uint8Array | Uint8ClampedArray,
  work: (place: number, len: number) => T,
): T {
  const place = border.pinhole_alloc(bytes.length);
  if (place === 0) throw new PinholeError(`no memory for ${bytes.length} bytes`);
  new Uint8Array(border.memory.buffer, place >>> 0, bytes.length).set(bytes);
  const result = work(place, bytes.length);
  border.pinhole_free(place, bytes.length);
  return result;
}

function message(border: Border): string {
  const place = border.pinhole_message() >>> 0;
  const bytes = new Uint8Array(border.memory.buffer, place, border.pinhole_message_len());
  return new TextDecoder().decode(bytes);
}
