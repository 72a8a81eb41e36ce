// The page's side of the worker.

import type { Answer, Call, Results } from "./protocol.js";
import {
  PinholeError,
  type DecodeOptions,
  type Decoded,
  type EncodeOptions,
  type Info,
  type Picture,
  type Sources,
} from "./types.js";

/** A result and how long the worker took for it. */
export interface Timed<T> {
  result: T;
  milliseconds: number;
}

interface Waiting {
  resolve(value: Timed<never>): void;
  reject(error: Error): void;
}

/**
 * The codec in a Web Worker. Calls may overlap; they are answered in order. Pictures and files are copied to the
 * worker and stay the caller's; results are handed over without a copy. Errors are PinholeErrors.
 */
export class PinholeWorker {
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #next = 0;
  /** Why no further call is possible. */
  #dead: PinholeError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.#receive(data);
    worker.onerror = (event) => this.#fail(event.message || "the worker did not start");
  }

  /** Starts a worker and loads module and model in it. */
  static async open(sources: Sources = {}): Promise<PinholeWorker> {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    const client = new PinholeWorker(worker);
    try {
      // Relative addresses are the page's, not the worker's.
      const page = (part: Sources["module"]) =>
        typeof part === "string" || part instanceof URL ? new URL(part, document.baseURI).href : part;
      const own: Sources = {};
      if (sources.module !== undefined) own.module = page(sources.module)!;
      if (sources.model !== undefined) own.model = page(sources.model)!;
      await client.#call<"open">({ kind: "open", sources: own });
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** As Codec.encode. */
  encode(picture: Picture, options: EncodeOptions = {}): Promise<Timed<Uint8Array<ArrayBuffer>>> {
    // ImageData and the like are cloned with their accessors' values only if these are spelled out.
    const { width, height, data, format, bits, matrix, range } = picture;
    const plain = JSON.parse(JSON.stringify({ format, bits, matrix, range }));
    return this.#call<"encode">({ kind: "encode", picture: { width, height, data, ...plain }, options });
  }

  /** As Codec.decode. */
  decode(file: Uint8Array, options: DecodeOptions = {}): Promise<Timed<Decoded>> {
    return this.#call<"decode">({ kind: "decode", file, options });
  }

  /** As Codec.inspect. */
  inspect(file: Uint8Array): Promise<Timed<Info>> {
    return this.#call<"inspect">({ kind: "inspect", file });
  }

  /** Ends the worker and frees its memory. Calls that are under way fail. */
  close(): void {
    this.#fail("the worker is closed");
  }

  #call<K extends keyof Results>(call: Call): Promise<Timed<Results[K]>> {
    if (this.#dead) return Promise.reject(this.#dead);
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.#worker.postMessage({ ...call, id });
    });
  }

  #receive(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("error" in answer) waiting?.reject(new PinholeError(answer.error));
    else waiting?.resolve({ result: answer.result as never, milliseconds: answer.milliseconds });
  }

  #fail(reason: string): void {
    this.#worker.terminate();
    this.#dead ??= new PinholeError(reason);
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}
