/**
 * Measures one model on one target: real calls of few and of many rows, one after another. First up the sizes, to find
 * those that are served; then over all of them again and again, so that a target that drifts does not look as if
 * batch size did it.
 */
import type { TimedUpload } from "../../../algorithms/network/link-estimate.ts";
import { decodeInferResponse } from "../../../protocol/decode.ts";
import { encodeInferRequest } from "../../../protocol/encode.ts";
import type { WireBody } from "../../../protocol/message.ts";
import { SpillwayError } from "../../../base/errors.ts";
import { numberOf, serviceOf } from "../../transports/model-target.ts";
import { replyFault } from "../../transports/reply-fault.ts";
import type { Transport } from "../../transports/transport.ts";
import type { ExampleModel } from "./example-input.ts";

/** Sizes that are tried, and samples that are enough of each, where nothing else is asked for. */
const usual = { sizes: [1, 2, 4, 8, 16, 32, 64], rounds: 20 };

export interface MeasureOptions {
  readonly transport: Transport;
  readonly model: ExampleModel;
  /** Monotonic time after which no call is made and none goes on. */
  readonly untilMs: number;
  /** A batch that is served longer than this is of no use, and no larger one is tried. */
  readonly longestMs: number;
  /** Ends the measuring before the next call; undefined: nothing does. */
  readonly stop?: AbortSignal | undefined;
  /** Rows of the batches, ascending; undefined for powers of two up to 64. */
  readonly sizes?: readonly number[] | undefined;
  /** Most samples of each size; undefined for 20. */
  readonly rounds?: number | undefined;
}

/** What was measured; without a size when the target did not answer. */
export interface Measured {
  /** By rows, ascending, each with a sample at least. */
  readonly serviceMs: ReadonlyMap<number, readonly number[]>;
  /** How long the way to the target took, beside the service; empty when the server does not tell the service. */
  readonly uploads: readonly TimedUpload[];
  readonly coldStartMs: readonly number[];
  /** Bytes of a request of one row. */
  readonly requestBytes: number;
  readonly cost: number;
  /** Why larger batches, or any, were not measured; undefined when nothing failed. */
  readonly fault: SpillwayError | undefined;
}

interface Call {
  readonly rows: number;
  readonly serviceMs: number;
  readonly elapsedMs: number;
  /** Bytes and time of the upload, where the server tells the service's time. */
  readonly upload: TimedUpload | undefined;
}

export async function measure(options: MeasureOptions): Promise<Measured> {
  const measuring = new Measuring(options);
  await measuring.run();
  return measuring.measured();
}

class Measuring {
  readonly #options: MeasureOptions;
  readonly #calls = new Map<number, Call[]>();
  readonly #wires = new Map<number, WireBody>();
  readonly #coldStartMs: number[] = [];
  #cost = 0;
  #fault: SpillwayError | undefined;

  constructor(options: MeasureOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    // The first call starts what has to be started; it is no measure of the others.
    if ((await this.#tried(1)) === undefined) return;
    await this.#climb();
    const sizes = [...this.#calls.keys()];
    const { rounds = usual.rounds } = this.#options;
    for (let round = 0; round < rounds; round++) {
      for (const rows of sizes) {
        if (!this.#hasTime(rows)) continue;
        const call = await this.#tried(rows);
        if (call === undefined) return;
        this.#note(call);
      }
      if (!this.#hasTime(1)) return;
    }
  }

  measured(): Measured {
    const serviceMs = new Map<number, number[]>();
    const uploads: TimedUpload[] = [];
    for (const [rows, calls] of this.#calls) {
      // The first of a size sets up what the size needs; it counts only where there is no other.
      const steady = calls.length > 1 ? calls.slice(1) : calls;
      serviceMs.set(
        rows,
        steady.map((call) => call.serviceMs),
      );
      for (const { upload } of steady) if (upload !== undefined) uploads.push(upload);
    }
    const requestBytes = this.#wireOf(1).body.byteLength;
    return {
      serviceMs,
      uploads,
      coldStartMs: this.#coldStartMs,
      requestBytes,
      cost: this.#cost,
      fault: this.#fault,
    };
  }

  async #climb(): Promise<void> {
    const { longestMs, sizes = usual.sizes } = this.#options;
    let previous: Call | undefined;
    for (const rows of sizes) {
      // Twice the rows take at most about twice the time.
      if (previous !== undefined && !this.#hasTime(previous.rows, rows / previous.rows)) return;
      previous = await this.#tried(rows);
      if (previous === undefined) return;
      this.#note(previous);
      if (previous.serviceMs > longestMs) return;
    }
  }

  #note(call: Call): void {
    const calls = this.#calls.get(call.rows);
    if (calls === undefined) this.#calls.set(call.rows, [call]);
    else calls.push(call);
  }

  /** Whether a call that takes `factor` times as long as the last of that many rows would end in time. */
  #hasTime(rows: number, factor = 1): boolean {
    const { stop, untilMs } = this.#options;
    const lastMs = this.#calls.get(rows)?.at(-1)?.elapsedMs ?? 0;
    return stop?.aborted !== true && performance.now() + factor * lastMs < untilMs;
  }

  /** A call that may fail: undefined when it does, and the fault is kept. */
  async #tried(rows: number): Promise<Call | undefined> {
    try {
      return await this.#call(rows);
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      const isOver = error.code === "target_timeout" && performance.now() >= this.#options.untilMs - 1;
      this.#fault = isOver ? new SpillwayError("target_timeout", "the time for measuring was over") : error;
      return undefined;
    }
  }

  /** One call; a cold start is noted and the call made again. */
  async #call(rows: number): Promise<Call> {
    const { transport, model, untilMs } = this.#options;
    const wire = this.#wireOf(rows);
    const startedAtMs = performance.now();
    const timeoutMs = untilMs - startedAtMs;
    if (timeoutMs <= 0) throw new SpillwayError("target_timeout", "the time for measuring was over");
    const reply = await transport.call(model.name, wire, timeoutMs);
    const elapsedMs = performance.now() - startedAtMs;
    this.#cost += reply.cost;
    if (reply.status !== 200) throw replyFault(reply);
    if (reply.coldStartMs !== 0) {
      if (reply.coldStartMs !== undefined) this.#coldStartMs.push(reply.coldStartMs);
      return this.#call(rows);
    }
    const answer = decodeInferResponse(reply.wire.body, reply.wire.headerBytes);
    const serviceMs = serviceOf(answer, reply);
    // Without anybody's word all of the time is the target's, and none the link's.
    if (serviceMs === undefined) return { rows, serviceMs: elapsedMs, elapsedMs, upload: undefined };
    const tookMs = Math.max(0, elapsedMs - serviceMs - (numberOf(answer, "spillway_queued_ms") ?? 0));
    const upload = { bytes: wire.body.byteLength, tookMs, hasRoundTrip: true };
    return { rows, serviceMs, elapsedMs, upload };
  }

  #wireOf(rows: number): WireBody {
    let wire = this.#wires.get(rows);
    if (wire === undefined) {
      wire = encodeInferRequest(this.#options.model.request(rows), { binary: true });
      this.#wires.set(rows, wire);
    }
    return wire;
  }
}
