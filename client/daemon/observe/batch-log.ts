/** One log line for each batch, when its result is there: what was planned, what was sent, where, and how it went. */
import type { QueueEvent, QueueOutput } from "../../queue/queue-event.ts";
import { Thinned } from "./thinned.ts";

/** The part of a logger that is needed. */
export interface BatchLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** Failures of one code at one target are logged this often at most. */
const failuresEveryMs = 1_000;

/** An observer for a queue. Holds no more than the batches under way. */
export function createBatchLog(log: BatchLogger): (event: QueueEvent) => void {
  const underWay = new Map<number, QueueOutput & { kind: "batch" }>();
  const failures = new Thinned(failuresEveryMs);
  return (event) => {
    if (event.kind === "batch") underWay.set(event.id, event);
    if (event.kind !== "result") return;
    const batch = underWay.get(event.batch);
    if (batch === undefined) return;
    underWay.delete(event.batch);
    const facts = {
      batch: batch.id,
      target: batch.target,
      preparedRows: batch.plannedRows,
      actualRows: batch.rows,
      reason: batch.reason,
      waitedS: seconds(batch.waitedMs),
      answeredS: seconds(event.atMs - batch.atMs),
    };
    if (event.ok) {
      const inference = event.serviceMs === undefined ? {} : { inferenceS: seconds(event.serviceMs) };
      const cold = event.coldStartMs === 0 ? {} : { coldStartS: coldStart(event.coldStartMs) };
      log.info({ ...facts, ...inference, ...cold, cost: event.cost }, "batch");
      return;
    }
    const { code, message: error, cost = 0 } = event;
    const leftOut = failures.pass(`${code} ${batch.target}`, event.atMs);
    if (leftOut === undefined) return;
    const alike = leftOut === 0 ? {} : { alikeLeftOut: leftOut };
    log.warn({ ...facts, code, error, cost, ...alike }, "batch failed");
  };
}

function coldStart(ms: number | undefined): number | "unknown" {
  return ms === undefined ? "unknown" : seconds(ms);
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
