/** The requests of a model that were dropped in overload: their errors, how many they are, and a line in the log now and then. */
import type { Logger } from "pino";
import { withoutStack } from "../../base/errors.ts";
import { OverloadedError } from "../../protocol/errors.ts";
import type { DropReason } from "./model-queue.ts";

/** Overload is logged at most once in this time, in milliseconds. */
const logEveryMs = 10_000;

export type DropCounts = Readonly<Record<DropReason, number>>;

/** What waits in the queue. */
interface WaitingNow {
  readonly rows: number;
  readonly bytes: number;
  /** How long it should take all replicas. */
  readonly waitMs: number;
}

export class DropLog {
  readonly #log: Pick<Logger, "warn">;
  readonly #model: string;
  readonly #counts = { full: 0, "long-queue": 0, "too-late": 0, "given-up": 0 };
  #logged: DropCounts = { ...this.#counts };
  #loggedAtMs = -Infinity;

  constructor(model: string, log: Pick<Logger, "warn">) {
    this.#model = model;
    this.#log = log;
  }

  /** Since the model was loaded. */
  get counts(): DropCounts {
    return { ...this.#counts };
  }

  /** The error of a request that is dropped now; it is counted. */
  dropped(reason: DropReason, { rows, bytes, waitMs }: WaitingNow, nowMs: number): OverloadedError {
    this.#counts[reason]++;
    this.#tell(rows, nowMs);
    return withoutStack(() => new OverloadedError(textOf(reason, this.#model, rows, bytes, waitMs), waitMs));
  }

  #tell(queueRows: number, nowMs: number): void {
    if (nowMs - this.#loggedAtMs < logEveryMs) return;
    const entries = Object.entries(this.#counts) as [DropReason, number][];
    const dropped = Object.fromEntries(entries.map(([each, count]) => [each, count - this.#logged[each]]));
    this.#log.warn({ model: this.#model, dropped, queueRows }, "overloaded: requests are dropped");
    this.#logged = this.counts;
    this.#loggedAtMs = nowMs;
  }
}

function textOf(reason: DropReason, model: string, rows: number, bytes: number, waitMs: number): string {
  const wait = `${rows} rows wait, for about ${Math.round(waitMs)} ms`;
  switch (reason) {
    case "full":
      return `the queue of ${model} is full: ${rows} rows with ${bytes} bytes wait`;
    case "long-queue":
      return `the queue of ${model} is too long: ${wait}`;
    case "too-late":
      return `the request would miss its deadline in the queue of ${model}: ${wait}`;
    case "given-up":
      return `the request could no longer meet its deadline, or others could only without it: model ${model} is overloaded`;
  }
}
