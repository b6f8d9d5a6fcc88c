/**
 * Measures one model on one target by real calls, one after another. It tries ever larger batches first, to find the
 * sizes that are served, and then takes all sizes in turns, so that a drift of the target does not look like an effect
 * of the batch size.
 */
import type { TimedUpload } from "../../../algorithms/network/link-estimate.ts";
import { decodeInferResponse } from "../../../protocol/decode.ts";
import { encodeInferRequest } from "../../../protocol/encode.ts";
import type { WireBody } from "../../../protocol/message.ts";
import { SpillwayError } from "../../../base/errors.ts";
import { toldTimes } from "../../transports/model-target.ts";
import { plausibleMs } from "../../transports/reply-facts.ts";
import { answerFault, replyFault } from "../../transports/reply-fault.ts";
import type { Transport } from "../../transports/transport.ts";
import type { ExampleModel } from "./example-input.ts";

/** No larger batch is made up. */
const mostBatchBytes = 256 * 2 ** 20;
/** Sizes that are tried by default. */
export const usualSizes: readonly number[] = [1, 2, 4, 8, 16, 32, 64];
/** Samples of each by default. */
const usualRounds = 20;
/** Calls that may start an instance. */
const mostColdCalls = 64;

export interface MeasureOptions {
  readonly transport: Transport;
  readonly model: ExampleModel;
  /** Monotonic time by which the last call has ended. */
  readonly untilMs: number;
  /** No larger batch is tried after one that took longer than this to serve. */
  readonly longestMs: number;
  /** Ends the measuring before the next call; undefined: nothing does. */
  readonly stop?: AbortSignal | undefined;
  /** Rows of the batches, ascending; undefined for powers of two up to 64. */
  readonly sizes?: readonly number[] | undefined;
  /** Most samples of each size; undefined for 20. */
  readonly rounds?: number | undefined;
}

/** What was measured; it has no sizes when the target did not answer. */
export interface Measured {
  /** By rows, ascending, each with at least one sample. */
  readonly serviceMs: ReadonlyMap<number, readonly number[]>;
  /** How long the way to the target took; empty when the server does not tell its service times. */
  readonly uploads: readonly TimedUpload[];
  readonly coldStartMs: readonly number[];
  /** Bytes of a request of one row. */
  readonly requestBytes: number;
  readonly cost: number;
  /** Why no batch or no larger one was measured; undefined when nothing failed. */
  readonly fault: SpillwayError | undefined;
}

interface Call {
  readonly rows: number;
  readonly serviceMs: number;
  readonly elapsedMs: number;
  /** Bytes and time of the upload, where the server tells its service time. */
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
  #coldCalls = 0;
  #cost = 0;
  #fault: SpillwayError | undefined;

  constructor(options: MeasureOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    // The first call may start the target, so it does not count.
    if ((await this.#tried(1)) === undefined) return;
    await this.#climb();
    const sizes = [...this.#calls.keys()];
    const { rounds = usualRounds } = this.#options;
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
      // The first call of a size warms it up, so it counts only when there is no other.
      const steady = calls.length > 1 ? calls.slice(1) : calls;
      serviceMs.set(
        rows,
        steady.map((call) => call.serviceMs),
      );
      for (const { upload } of steady) if (upload !== undefined) uploads.push(upload);
    }
    const requestBytes = this.#bytesOf(1);
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
    const { longestMs, model, sizes = usualSizes } = this.#options;
    let previous: Call | undefined;
    for (const rows of model.sizes ?? sizes) {
      if (rows * this.#bytesOf(1) > mostBatchBytes) return;
      // The time grows about as the rows do, or less.
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

  /** Whether a call would end in time that takes `factor` times as long as the last one of that many rows. */
  #hasTime(rows: number, factor = 1): boolean {
    const { stop, untilMs } = this.#options;
    const lastMs = this.#calls.get(rows)?.at(-1)?.elapsedMs ?? 0;
    return stop?.aborted !== true && performance.now() + factor * lastMs < untilMs;
  }

  /**
   * Makes a call. When it fails, keeps the fault and resolves with undefined. The end of the time is a fault only when
   * nothing was measured until then.
   */
  async #tried(rows: number): Promise<Call | undefined> {
    try {
      return await this.#call(rows);
    } catch (error) {
      // Whatever a server answers, and whatever its metadata made us send, ends its measuring alone.
      const fault = answerFault(error);
      const isOver = fault.code === "target_timeout" && performance.now() >= this.#options.untilMs - 1;
      if (!isOver) this.#fault = fault;
      else if (this.#calls.size === 0) this.#fault = timeIsOver();
      return undefined;
    }
  }

  /** Makes a call. After a cold start, notes how long it took and makes the call again. */
  async #call(rows: number): Promise<Call> {
    const { transport, model, untilMs } = this.#options;
    const wire = this.#wireOf(rows);
    const startedAtMs = performance.now();
    const timeoutMs = untilMs - startedAtMs;
    if (timeoutMs <= 0) throw timeIsOver();
    const reply = await transport.call(model.name, wire, timeoutMs);
    const elapsedMs = performance.now() - startedAtMs;
    this.#cost += reply.cost;
    if (reply.status !== 200) throw replyFault(reply);
    // A server that tells of a start with every reply is taken for warm in the end.
    if (reply.coldStartMs !== 0 && this.#coldCalls < mostColdCalls) {
      this.#coldCalls++;
      const coldStartMs = plausibleMs(reply.coldStartMs, elapsedMs);
      if (coldStartMs !== undefined) this.#coldStartMs.push(coldStartMs);
      return this.#call(rows);
    }
    const answer = decodeInferResponse(reply.wire.body, reply.wire.headerBytes);
    const { serviceMs, serverQueuedMs = 0 } = toldTimes(answer, reply, elapsedMs);
    // Where nobody tells the service time, the whole time counts as the target's and none as the link's.
    if (serviceMs === undefined) return { rows, serviceMs: elapsedMs, elapsedMs, upload: undefined };
    const tookMs = Math.max(0, elapsedMs - serviceMs - serverQueuedMs);
    const upload = { bytes: wire.body.byteLength, tookMs, hasRoundTrip: true };
    return { rows, serviceMs, elapsedMs, upload };
  }

  #bytesOf(rows: number): number {
    return this.#wires.get(rows)?.body.byteLength ?? 0;
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

function timeIsOver(): SpillwayError {
  return new SpillwayError("target_timeout", "the time for measuring was over");
}
