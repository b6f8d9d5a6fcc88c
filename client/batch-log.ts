/** One log line for each batch, when its result is there: what was planned, what was sent, where, and how it went. */
import type { QueueEvent, QueueOutput } from "./queue-event.ts";

/** The part of a logger that is needed. */
export interface BatchLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** An observer for a queue. Holds no more than the batches under way. */
export function createBatchLog(log: BatchLogger): (event: QueueEvent) => void {
  const underWay = new Map<number, QueueOutput & { kind: "batch" }>();
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
      const cold = event.coldStartMs > 0 ? { coldStartS: seconds(event.coldStartMs) } : {};
      log.info({ ...facts, ...inference, ...cold, cost: event.cost }, "batch");
    } else log.warn({ ...facts, code: event.code, error: event.message }, "batch failed");
  };
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
