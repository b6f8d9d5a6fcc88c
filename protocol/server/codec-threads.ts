/**
 * Threads that read and print long bodies, so that the event loop goes on meanwhile. They are few, start when they are
 * needed, have a bounded heap each, and end when they are not needed for a while. The shortest job goes first, so that large
 * ones do not hold up others.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Clock, monotonicClock, type Timer } from "../../base/clock.ts";
import { OverloadedError, ProtocolError } from "../errors.ts";
import type { InferRequest, InferResponse, ModelMetadata, WireBody } from "../message.ts";
import type { Tensor } from "../tensor.ts";
import { codecHere, isLongToRead, isLongToWrite, type MessageCodec } from "./message-codec.ts";

export type CodecJob =
  | { readonly kind: "read"; readonly wire: WireBody }
  | { readonly kind: "answer"; readonly wire: WireBody; readonly model: string }
  | { readonly kind: "write"; readonly response: InferResponse; readonly request: InferRequest };

export type CodecResult =
  | { readonly kind: "read"; readonly request: InferRequest }
  | { readonly kind: "answer"; readonly response: InferResponse }
  | { readonly kind: "written"; readonly wire: WireBody }
  | { readonly kind: "refused"; readonly message: string; readonly status: number };

export interface CodecThreadsOptions {
  /** The built file of the thread. Default: beside this one. */
  readonly entry?: URL;
  /** Default: 2, or 1 on a single core. */
  readonly threads?: number;
  /** Most bytes of bodies that wait or are worked at; more are refused with 503. Default 256 MiB, beside which one may come. */
  readonly mostBytes?: number;
  /** Most memory of a thread's heap, in MiB; a body that needs more is refused with 413. Default 1024. */
  readonly heapMib?: number;
  /** Longest time of one job, in milliseconds from when its thread begins; then 413. Default 30,000. */
  readonly jobMs?: number;
  /** How long a thread without work is kept, in milliseconds. Default 30,000. */
  readonly idleMs?: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

interface Task {
  readonly job: CodecJob;
  readonly bytes: number;
  readonly done: (result: CodecResult) => void;
}

/**
 * Heap that a byte of JSON may take while it is parsed: a digit and a comma become 8 bytes, twice while an array grows. A
 * thread that runs out of its heap at once ends the whole process on some versions of Node, so it must not come to that.
 */
const heapPerByte = 12;

const tooHeavy = "of its JSON; send tensors as binary data, and ask for binary outputs";

export class CodecThreads implements MessageCodec {
  readonly #options: Required<CodecThreadsOptions>;
  /** The shortest first. */
  readonly #waiting: Task[] = [];
  readonly #threads = new Set<Thread>();
  #bytes = 0;
  #isClosed = false;

  constructor(options: CodecThreadsOptions = {}) {
    this.#options = {
      entry: new URL("codec-thread.js", import.meta.url),
      threads: Math.min(2, availableParallelism()),
      mostBytes: 2 ** 28,
      heapMib: 1_024,
      jobMs: 30_000,
      idleMs: 30_000,
      clock: monotonicClock(),
      ...options,
    };
  }

  async read(wire: WireBody, metadata: ModelMetadata | undefined, gone?: AbortSignal): Promise<InferRequest> {
    if (!isLongToRead(wire)) return codecHere.read(wire, metadata);
    this.#checkHeap(wire);
    const result = await this.#run({ kind: "read", wire: { ...wire, body: ownBytes(wire.body) } }, gone);
    if (result.kind === "read") return result.request;
    throw new Error("a thread printed an answer when it was to read a request");
  }

  async readAnswer(wire: WireBody, model: string): Promise<InferResponse> {
    if (!isLongToRead(wire)) return codecHere.readAnswer(wire, model);
    this.#checkHeap(wire);
    const job = { kind: "answer", wire: { ...wire, body: ownBytes(wire.body) }, model } as const;
    const result = await this.#run(job, undefined);
    if (result.kind === "answer") return result.response;
    throw new Error("a thread did something else than to read an answer");
  }

  async write(response: InferResponse, request: InferRequest, gone?: AbortSignal): Promise<WireBody> {
    if (!isLongToWrite(response, request)) return codecHere.write(response, request);
    // Copied, because other answers of the same batch share the memory.
    const outputs = response.outputs.map((output): Tensor => ({ ...output, data: output.data.slice() }));
    const { parameters, outputs: wanted } = request;
    const asked = { parameters, inputs: [], ...(wanted && { outputs: wanted }) };
    const result = await this.#run(
      { kind: "write", response: { ...response, outputs }, request: asked },
      gone,
    );
    if (result.kind === "written") return result.wire;
    throw new Error("a thread read a request when it was to print an answer");
  }

  /** Throws a ProtocolError (413) for JSON that may not fit into a thread. */
  #checkHeap({ body, headerBytes = body.length }: WireBody): void {
    const { heapMib } = this.#options;
    if (heapPerByte * headerBytes > heapMib * 2 ** 20) throw new ProtocolError(outOfMemory(heapMib), 413);
  }

  /** Ends the threads; their jobs are refused with 503. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#threads].map((thread) => thread.end(closing)));
    for (const task of this.#waiting.splice(0)) task.done(closing);
  }

  async #run(
    job: CodecJob,
    gone: AbortSignal | undefined,
  ): Promise<Exclude<CodecResult, { kind: "refused" }>> {
    const bytes = buffersOf(job).reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#options.mostBytes)
      throw new OverloadedError(
        `bodies of ${this.#bytes} bytes are being read or printed as JSON; allowed: ${this.#options.mostBytes}`,
      );
    this.#bytes += bytes;
    try {
      const result = await new Promise<CodecResult>((done) => {
        const task = { job, bytes, done };
        const at = this.#waiting.findIndex((other) => other.bytes > bytes);
        this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, task);
        // One that is being worked at is finished, since a thread cannot be told.
        gone?.addEventListener("abort", () => this.#drop(task), { once: true });
        this.#next();
      });
      if (result.kind === "refused") throw new ProtocolError(result.message, result.status);
      return result;
    } finally {
      this.#bytes -= bytes;
    }
  }

  #drop(task: Task): void {
    const at = this.#waiting.indexOf(task);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    task.done({ kind: "refused", message: "the caller went away", status: 499 });
  }

  #next(): void {
    const [task] = this.#waiting;
    if (task === undefined) return;
    if (this.#isClosed) {
      for (const each of this.#waiting.splice(0)) each.done(closing);
      return;
    }
    let free = [...this.#threads].find(({ isBusy }) => !isBusy);
    if (free === undefined && this.#threads.size < this.#options.threads) {
      free = new Thread(this.#options, (ended) => {
        this.#threads.delete(ended);
        this.#next();
      });
      this.#threads.add(free);
    }
    if (free === undefined) return;
    this.#waiting.shift();
    free.begin(task.job, (result) => {
      task.done(result);
      this.#next();
    });
  }
}

function outOfMemory(heapMib: number): string {
  return `the body takes more than ${heapMib} MiB of memory because ${tooHeavy}`;
}

const closing = { kind: "refused", message: "the server is shutting down", status: 503 } as const;

class Thread {
  readonly #worker: Worker;
  readonly #options: Required<CodecThreadsOptions>;
  #done: ((result: CodecResult) => void) | undefined;
  readonly #timer: Timer;
  #isEnding = false;
  /** Why it is being ended, as an answer. */
  #why: CodecResult = closing;

  constructor(options: Required<CodecThreadsOptions>, onEnd: (thread: Thread) => void) {
    this.#options = options;
    this.#timer = options.clock.createTimer(() => void this.end());
    this.#worker = new Worker(options.entry, {
      resourceLimits: { maxOldGenerationSizeMb: options.heapMib },
      stdin: false,
    });
    this.#worker.unref();
    this.#worker.on("message", (result: CodecResult) => this.#finish(result));
    this.#worker.on("error", (error: NodeJS.ErrnoException) => {
      const isMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
      this.#why = isMemory
        ? { kind: "refused", message: outOfMemory(options.heapMib), status: 413 }
        : { kind: "refused", message: `the thread that reads bodies failed: ${error.message}`, status: 500 };
    });
    this.#worker.on("exit", () => {
      onEnd(this);
      this.#finish(this.#why);
      this.#timer.clear();
    });
  }

  get isBusy(): boolean {
    return this.#done !== undefined || this.#isEnding;
  }

  begin(job: CodecJob, done: (result: CodecResult) => void): void {
    this.#done = done;
    this.#worker.ref();
    this.#endAfter(this.#options.jobMs, {
      kind: "refused",
      message: `the body takes longer than ${this.#options.jobMs} ms because ${tooHeavy}`,
      status: 413,
    });
    this.#worker.postMessage(job, buffersOf(job));
  }

  /** @param why what a job that it has is answered; default: as was said when its time began */
  async end(why = this.#why): Promise<void> {
    this.#why = why;
    this.#isEnding = true;
    this.#timer.clear();
    await this.#worker.terminate();
  }

  #finish(result: CodecResult): void {
    const done = this.#done;
    this.#done = undefined;
    this.#worker.unref();
    this.#endAfter(this.#options.idleMs, closing);
    done?.(result);
  }

  #endAfter(ms: number, why: CodecResult): void {
    this.#why = why;
    this.#timer.setAt(this.#options.clock.nowMs() + ms);
  }
}

/** The memory of a job, each part once, which goes to the thread with it. */
function buffersOf(job: CodecJob): ArrayBuffer[] {
  const views = job.kind === "write" ? job.response.outputs.map(({ data }) => data) : [job.wire.body];
  return [...new Set(views.map(({ buffer }) => buffer as ArrayBuffer))];
}

/** Bytes that are alone in their memory. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
