/**
 * How fast each model has answered of late, in figures for a person: the last requests of each model, no more than
 * some thousands, of the last minutes.
 */
import { quantileOfSorted } from "../../base/quantile.ts";
import type { Observer, RequestEnd } from "./observer.ts";

/** Most requests that are kept of a model; at a higher rate the window is shorter than `windowMs`. */
const mostKept = 4_096;
const windowMs = 60_000;

/** Times in milliseconds; null where nothing was answered of late. */
export interface LatencySummary {
  /** Answered since the model was first asked. */
  readonly requests: number;
  readonly failed: number;
  /** Answers of the last minute, or of as much of it as is kept, by the second. */
  readonly throughputPerS: number;
  readonly meanMs: number | null;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

interface Recent {
  requests: number;
  failed: number;
  /** A ring: entry i is of the request whose number is i modulo the ring's length. */
  readonly endedAtMs: Float64Array;
  readonly latencyMs: Float64Array;
}

export class RecentLatencies implements Observer {
  readonly #byName = new Map<string, Recent>();
  readonly #nowMs: () => number;

  /** @param nowMs a clock that never goes back, in milliseconds */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  onRequest({ model, totalMs, status }: RequestEnd): void {
    let recent = this.#byName.get(model.name);
    if (recent === undefined) {
      const [endedAtMs, latencyMs] = [new Float64Array(mostKept), new Float64Array(mostKept)];
      recent = { requests: 0, failed: 0, endedAtMs, latencyMs };
      this.#byName.set(model.name, recent);
    }
    if (status !== 200) {
      recent.failed++;
      return;
    }
    recent.endedAtMs[recent.requests % mostKept] = this.#nowMs();
    recent.latencyMs[recent.requests % mostKept] = totalMs;
    recent.requests++;
  }

  onBatch(): void {}

  onUnloaded(): void {}

  summaryOf(name: string): LatencySummary {
    const recent = this.#byName.get(name);
    if (recent === undefined) return summary(0, 0, [], 0);
    const { requests, failed, endedAtMs, latencyMs } = recent;
    const nowMs = this.#nowMs();
    const kept = Array.from({ length: Math.min(requests, mostKept) }, (_, slot) => slot).filter(
      (slot) => (endedAtMs[slot] as number) > nowMs - windowMs,
    );
    const oldestAtMs = Math.min(...kept.map((slot) => endedAtMs[slot] as number));
    // Full of the last seconds alone, the ring says nothing of the rest of the minute.
    const spanMs = kept.length === mostKept ? nowMs - oldestAtMs : windowMs;
    const sorted = kept.map((slot) => latencyMs[slot] as number).sort((a, b) => a - b);
    return summary(requests, failed, sorted, spanMs);
  }
}

function summary(requests: number, failed: number, sorted: number[], spanMs: number): LatencySummary {
  const at = (quantile: number): number | null =>
    sorted.length === 0 ? null : quantileOfSorted(sorted, quantile);
  const sum = sorted.reduce((total, ms) => total + ms, 0);
  return {
    requests,
    failed,
    throughputPerS: sorted.length === 0 ? 0 : (1_000 * sorted.length) / spanMs,
    meanMs: sorted.length === 0 ? null : sum / sorted.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
  };
}
