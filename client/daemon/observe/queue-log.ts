/**
 * The queue in the log: one line for each batch when its result is there (what was planned, what was sent, where, how
 * it went), one for each plan, and one for a batch that its target did not admit. Failures and refusals of one kind are
 * logged once a second at most.
 */
import { TurnoverMap } from "../../../base/memory/turnover-map.ts";
import type { QueueEvent, QueueOutput } from "../../queue/queue-event.ts";
import type { PlanRecord, QueueObserver } from "./observer.ts";

/** The part of a logger that is needed. */
export type LineLogger = Readonly<
  Record<"debug" | "info" | "warn", (facts: object, message: string) => void>
>;

type BatchSent = QueueOutput & { readonly kind: "batch" };
type BatchEnded = QueueEvent & { readonly kind: "result" };

/** What the line of a batch says; what is undefined is left out. */
interface BatchFacts {
  readonly batch: number;
  readonly target: string;
  readonly preparedRows: number;
  readonly actualRows: number;
  readonly reason: string;
  readonly waitedS: number;
  readonly answeredS: number;
  inferenceS: number | undefined;
  coldStartS: number | "unknown" | undefined;
  cost: number | undefined;
}

/** Failures of one code at one target are logged this often at most. */
const failuresEveryMs = 1_000;

/** Holds no more than the batches under way. */
export class QueueLog implements QueueObserver {
  readonly #log: LineLogger;
  readonly #underWay = new TurnoverMap<number, BatchSent>();
  readonly #failures = new LogThrottle(failuresEveryMs);

  constructor(log: LineLogger) {
    this.#log = log;
  }

  observe(event: QueueEvent | PlanRecord): void {
    if (event.kind === "batch") this.#underWay.set(event.id, event);
    else if (event.kind === "result") this.#ended(event);
    else if (event.kind === "refusal") this.#refused(event);
    else if (event.kind === "plan") this.#planned(event);
  }

  #refused({ target, code, message: error, atMs }: QueueEvent & { readonly kind: "refusal" }): void {
    this.#warn({ target, code, error }, "batch not sent", atMs);
  }

  /** A failure or a refusal, unless another of its kind was logged a moment ago. */
  #warn(facts: { target: string; code: string; error: string }, message: string, atMs: number): void {
    const leftOut = this.#failures.pass(`${facts.code} ${facts.target}`, atMs);
    if (leftOut === undefined) return;
    this.#log.warn({ ...facts, ...(leftOut > 0 && { alikeLeftOut: leftOut }) }, message);
  }

  #ended(event: BatchEnded): void {
    const batch = this.#underWay.get(event.batch);
    if (batch === undefined) return;
    this.#underWay.delete(event.batch);
    const facts: BatchFacts = {
      batch: batch.id,
      target: batch.target,
      preparedRows: batch.plannedRows,
      actualRows: batch.rows,
      reason: batch.reason,
      waitedS: seconds(batch.waitedMs),
      answeredS: seconds(event.atMs - batch.atMs),
      inferenceS: undefined,
      coldStartS: undefined,
      cost: undefined,
    };
    if (event.ok) {
      facts.inferenceS = event.serviceMs === undefined ? undefined : seconds(event.serviceMs);
      facts.coldStartS = event.coldStartMs === 0 ? undefined : coldStart(event.coldStartMs);
      facts.cost = event.cost;
      this.#log.info(facts, "batch");
      return;
    }
    const { code, message: error, cost = 0 } = event;
    const failure = { ...facts, code, error, cost };
    this.#warn(failure, "batch failed", event.atMs);
  }

  #planned({ cause, ratePerS, isAdopted, text }: PlanRecord): void {
    // Most heartbeats, and most stalls of a busy machine, change nothing.
    const level = isAdopted || cause === "changepoint" ? "info" : "debug";
    this.#log[level]({ cause, ratePerS: Math.round(ratePerS * 10) / 10, isAdopted, text }, "plan");
  }
}

/** Kinds that are remembered at once; beyond it all are forgotten, which lets some messages through too early. */
const maxKinds = 1_000;

/** Lets one message of a kind through in a while, and counts those that it leaves out. */
export class LogThrottle {
  readonly #everyMs: number;
  readonly #byKind = new Map<string, { shownAtMs: number; leftOut: number }>();

  /** @param everyMs least time between two messages of a kind */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** How many of the kind were left out since the last one; undefined when this one is to be left out too. */
  pass(kind: string, nowMs: number): number | undefined {
    const last = this.#byKind.get(kind);
    if (last !== undefined && nowMs - last.shownAtMs < this.#everyMs) {
      last.leftOut++;
      return undefined;
    }
    if (this.#byKind.size >= maxKinds) this.#byKind.clear();
    this.#byKind.set(kind, { shownAtMs: nowMs, leftOut: 0 });
    return last?.leftOut ?? 0;
  }
}

function coldStart(ms: number | undefined): number | "unknown" {
  return ms === undefined ? "unknown" : seconds(ms);
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
