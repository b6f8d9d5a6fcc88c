/**
 * What a model's queue expects of time: when those that run and wait will be done, and which of those that wait can be
 * answered in time. It keeps the work that waits and the batches that run; the queue tells it of both. Pure.
 */
import { OpenMap } from "../../base/memory/open-list.ts";
import { type DeadlinePlan, filled, planByDeadlines, type PlannedRequest } from "./deadline-plan.ts";
import type { KindTimes, ServiceTimes } from "./service-times.ts";
import { kindOf, WaitingWork, type QueuedWork } from "./waiting-work.ts";

type Request = PlannedRequest & QueuedWork;

/** How long after a request was dropped more are expected to come than can be served. */
const crowdedMs = 2_000;

export class QueueForecast<T extends Request> {
  readonly waiting: WaitingWork;
  readonly #times: ServiceTimes;
  readonly #mostRowsOf: (key: string | undefined) => number;
  /** When each batch that runs should have ended. */
  readonly #running = new OpenMap<object, number>();
  #droppedAtMs = -Infinity;

  /** @param mostRowsOf most rows that run together for a key; 1 when its requests run alone */
  constructor(times: ServiceTimes, mostRowsOf: (key: string | undefined) => number) {
    this.#times = times;
    this.#mostRowsOf = mostRowsOf;
    this.waiting = new WaitingWork(times, mostRowsOf);
  }

  /** A request was refused or given up. */
  dropped(nowMs: number): void {
    this.#droppedAtMs = nowMs;
  }

  /** A batch begins to run, which is returned. */
  started<B extends { readonly requests: readonly T[]; readonly rows: number }>(batch: B, nowMs: number): B {
    const times = this.#times.of(kindOf(batch.requests[0] as T));
    this.#running.set(batch, nowMs + (times?.expectedMs(batch.rows) ?? 0));
    return batch;
  }

  ended(batch: object): void {
    this.#running.delete(batch);
  }

  /** Whether a new request would miss its deadline behind those that run and wait. */
  comesTooLate(request: T, nowMs: number, replicas: number): boolean {
    const { rows, rank, deadlineAtMs } = request;
    const times = this.#times.of(kindOf(request));
    if (deadlineAtMs === Infinity || times === undefined || rows > times.knownRows) return false;
    const startMs = this.#freeInMs(nowMs, replicas) + this.waiting.beforeMs(rank, true) / replicas;
    return nowMs + startMs + times.expectedMs(rows) > deadlineAtMs;
  }

  /**
   * Of those that wait, the ones that would be late even if they ran now and alone, and among them those to try all the
   * same: the one with the most time left when nothing else waits, and others now and then.
   */
  hopelessOf(waiting: readonly T[], nowMs: number): { givenUp: T[]; tried: Set<T> } {
    const hopeless = waiting.filter((request) => {
      const times = this.#times.of(kindOf(request));
      return times !== undefined && nowMs + times.safeMs(request.rows) > request.deadlineAtMs;
    });
    hopeless.sort((a, b) => b.deadlineAtMs - a.deadlineAtMs);
    const isAll = hopeless.length === waiting.length;
    const tried = new Set(
      hopeless.filter((request, index) => {
        const times = this.#times.of(kindOf(request)) as KindTimes;
        return (isAll && index === 0) || times.shouldTry(request.rows, nowMs);
      }),
    );
    return { givenUp: hopeless.filter((request) => !tried.has(request)), tried };
  }

  /**
   * The next batch of a key.
   *
   * @param line its waiting requests, by rank and arrival
   * @param tried requests that are not judged by their deadline
   */
  plan(line: readonly T[], nowMs: number, replicas: number, tried: ReadonlySet<T>): DeadlinePlan<T> {
    const [first] = line as [T];
    const mostRows = this.#mostRowsOf(first.key);
    const kind = kindOf(first);
    const times = this.#times.of(kind);
    if (times === undefined) return { batch: filled(line, mostRows), givenUp: [] };
    const share = Math.min(1, this.waiting.ofKindMs(kind) / Math.max(this.waiting.totalMs(), 1e-6));
    const isCrowded = nowMs - this.#droppedAtMs < crowdedMs;
    return planByDeadlines(line, {
      nowMs,
      mostRows,
      parallel: replicas * share,
      times,
      isCrowded,
      spared: tried,
    });
  }

  /** How long until a replica should be free. */
  #freeInMs(nowMs: number, replicas: number): number {
    if (this.#running.size < replicas) return 0;
    return Math.max(0, Math.min(...Array.from(this.#running, ([, endsAtMs]) => endsAtMs)) - nowMs);
  }
}
