/** How fast each model has answered in the last minute, in figures for people. */
import { quantileOfSorted } from "../../base/quantile.ts";
import type { Observer, RequestEnd } from "./model-statistics.ts";

/** Most requests that are kept of a model; at a higher rate the window is shorter than `windowMs`. */
const mostKept = 4_096;
const windowMs = 60_000;

/** Times in milliseconds; null where nothing was answered in the window. */
export interface LatencySummary {
  /** Answered since the model was first asked. */
  readonly requests: number;
  readonly failed: number;
  /** Answers in a second, in the last minute or in as much of it as is kept. */
  readonly throughputPerS: number;
  readonly meanMs: number | null;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

interface Recent {
  requests: number;
  failed: number;
  /** Rings: request number i is at index i modulo their length. */
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
      this.#byName.set(model.name, (recent = { requests: 0, failed: 0, endedAtMs, latencyMs }));
    }
    if (status !== 200) {
      recent.failed++;
      return;
    }
    const slot = recent.requests++ % mostKept;
    recent.endedAtMs[slot] = this.#nowMs();
    recent.latencyMs[slot] = totalMs;
  }

  summaryOf(name: string): LatencySummary {
    const recent = this.#byName.get(name);
    if (recent === undefined) return summary(0, 0, [], 0);
    const { requests, failed, endedAtMs, latencyMs } = recent;
    const nowMs = this.#nowMs();
    const kept = Array.from({ length: Math.min(requests, mostKept) }, (_, slot) => slot).filter(
      (slot) => (endedAtMs[slot] as number) > nowMs - windowMs,
    );
    const oldestAtMs = Math.min(...kept.map((slot) => endedAtMs[slot] as number));
    // A ring that is full of recent requests says nothing about the time before them.
    const spanMs = kept.length === mostKept ? nowMs - oldestAtMs : windowMs;
    const sorted = kept.map((slot) => latencyMs[slot] as number).sort((a, b) => a - b);
    return summary(requests, failed, sorted, spanMs);
  }
}

function summary(requests: number, failed: number, sorted: number[], spanMs: number): LatencySummary {
  const isEmpty = sorted.length === 0;
  const at = (quantile: number): number | null => (isEmpty ? null : quantileOfSorted(sorted, quantile));
  const sum = sorted.reduce((total, ms) => total + ms, 0);
  return {
    requests,
    failed,
    throughputPerS: isEmpty ? 0 : (1_000 * sorted.length) / spanMs,
    meanMs: isEmpty ? null : sum / sorted.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
  };
}
