/** The queue of a model before replicas whose time is arithmetic, in virtual time. */
import {
  type DropReason,
  ModelQueue,
  type ModelBatch,
  type QueueItem,
} from "../../edge/replicas/model-queue.ts";
import { ServiceTimes } from "../../edge/replicas/service-times.ts";

export interface Arrival {
  readonly atMs: number;
  /** From its arrival; Infinity for none. */
  readonly withinMs: number;
  readonly rows?: number;
  readonly rank?: number;
  readonly key?: string | undefined;
}

/** What became of an arrival. `late`: its deadline passed before it was answered. */
export interface Outcome extends Arrival {
  readonly end: "in time" | "late" | DropReason;
  readonly endedAtMs: number;
}

export interface SimulatedQueueOptions {
  readonly replicas?: number;
  readonly maxBatchRows?: number;
  readonly maxQueueRows?: number;
  readonly maxQueueMs?: number;
  /** How long a batch of that many rows takes when it starts at that moment. */
  readonly serviceMs: (rows: number, atMs: number, key: string | undefined) => number;
}

interface Request extends QueueItem {
  readonly arrival: Arrival;
}

/** @param arrivals in order of time */
export function simulateQueue(arrivals: Iterable<Arrival>, options: SimulatedQueueOptions): Outcome[] {
  const { replicas = 1, maxBatchRows = 32, maxQueueRows = 1_024, maxQueueMs = 30_000, serviceMs } = options;
  const times = new ServiceTimes();
  const bounds = { maxBatchRows, maxQueueRows, maxQueueBytes: 2 ** 28, maxQueueMs };
  const queue = new ModelQueue<Request>(bounds, times);
  const outcomes: Outcome[] = [];
  const running: { batch: ModelBatch<Request>; startedAtMs: number; endsAtMs: number }[] = [];
  const ended = ({ arrival }: Request, end: Outcome["end"], endedAtMs: number): void => {
    outcomes.push({ ...arrival, end, endedAtMs });
  };
  const pump = (nowMs: number): void => {
    for (const each of queue.expire(nowMs)) ended(each, "late", nowMs);
    while (running.length < replicas) {
      const { batch, givenUp } = queue.next(nowMs, replicas);
      for (const each of givenUp) ended(each, "given-up", nowMs);
      if (batch === undefined) break;
      const ms = serviceMs(batch.rows, nowMs, batch.requests[0]?.key);
      running.push({ batch, startedAtMs: nowMs, endsAtMs: nowMs + ms });
    }
  };
  /** Let time pass until nothing more happens before that moment. */
  const passTo = (untilMs: number): void => {
    for (;;) {
      const first = running.toSorted((a, b) => a.endsAtMs - b.endsAtMs)[0];
      const nowMs = Math.min(first?.endsAtMs ?? Infinity, queue.nextDeadlineMs);
      if (nowMs > untilMs || nowMs === Infinity) return;
      if (first !== undefined && first.endsAtMs === nowMs) {
        running.splice(running.indexOf(first), 1);
        const { batch, startedAtMs } = first;
        times.observe(batch.requests[0]?.key ?? "alone", batch.rows, nowMs - startedAtMs, nowMs);
        // An answer at the very deadline is in time.
        for (const [index, isWanted] of queue.batchSucceeded(batch).entries())
          if (isWanted) ended(batch.requests[index] as Request, "in time", nowMs);
      }
      pump(nowMs);
    }
  };
  for (const arrival of arrivals) {
    const { atMs, withinMs, rows = 1, rank = 2 } = arrival;
    passTo(atMs);
    const key = "key" in arrival ? arrival.key : "a";
    const request = { key, rows, bytes: 4, deadlineAtMs: atMs + withinMs, rank, arrival };
    const refused = queue.add(request, atMs, replicas);
    if (refused === undefined) pump(atMs);
    else ended(request, refused, atMs);
  }
  passTo(Infinity);
  return outcomes;
}
