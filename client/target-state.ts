/**
 * What the queue knows of one target: how much is under way, how long answers take, and whether it failed
 * lately. A target that fails is left alone for a while that doubles with every further failure.
 */
import { SlidingQuantile } from "../algorithms/sliding-quantile.ts";
import type { TargetView, UnderWay } from "./policy.ts";
import type { Target, TargetKind } from "./target.ts";

const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** Round trips that the prediction rests on, and which of them it takes. */
const latencyWindow = 64;
const latencyQuantile = 0.95;
/** Lines for which round trips are remembered; the one that is longest unused is forgotten beyond it. */
const maxRememberedKeys = 256;

export class TargetState<In, Out> implements TargetView {
  readonly target: Target<In, Out>;
  /** In the order they were sent: mostly the first one leaves, so a plain list does. */
  readonly underWay: UnderWay[] = [];
  suspendedUntilMs = -Infinity;
  #failures = 0;
  #lastFailureAtMs = -Infinity;
  readonly #latencyByKey = new Map<string, SlidingQuantile>();
  /** The entry that was used last, because the next batch mostly has the same key. */
  #latest: { readonly key: string; readonly latency: SlidingQuantile } | undefined;

  constructor(target: Target<In, Out>) {
    this.target = target;
  }

  get name(): string {
    return this.target.name;
  }

  get kind(): TargetKind {
    return this.target.kind;
  }

  get isFailing(): boolean {
    return this.#failures > 0;
  }

  get inFlight(): number {
    return this.underWay.length;
  }

  get maxInFlight(): number {
    return this.target.maxInFlight;
  }

  latencyMs(key: string): number {
    return this.#latencyByKey.get(key)?.value() ?? this.target.assumedLatencyMs;
  }

  sent(batch: UnderWay): void {
    this.underWay.push(batch);
  }

  returned(batch: UnderWay): void {
    this.underWay.splice(this.underWay.indexOf(batch), 1);
  }

  /**
   * A batch of that key was answered `latencyMs` after it was sent. A cold start is no measure of the next, and where
   * nobody knows how long it took (undefined) neither is the rest.
   */
  succeeded(key: string, latencyMs: number, coldStartMs: number | undefined): void {
    this.#failures = 0;
    this.suspendedUntilMs = -Infinity;
    if (coldStartMs !== undefined) this.#latencyOf(key).observe(Math.max(0, latencyMs - coldStartMs));
  }

  /**
   * A batch failed for a reason that another try may not have. Batches that were already under way when the
   * target was found failing are part of the same failure and do not lengthen the pause.
   */
  failed(formedAtMs: number, nowMs: number): void {
    if (formedAtMs < this.#lastFailureAtMs) return;
    this.#lastFailureAtMs = nowMs;
    this.suspendedUntilMs =
      nowMs + Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
  }

  #latencyOf(key: string): SlidingQuantile {
    if (this.#latest?.key === key) return this.#latest.latency;
    const latency = this.#latencyByKey.get(key) ?? new SlidingQuantile(latencyWindow, latencyQuantile);
    this.#latest = { key, latency };
    // Deleted first, so that the map stays in the order of use.
    this.#latencyByKey.delete(key);
    this.#latencyByKey.set(key, latency);
    if (this.#latencyByKey.size > maxRememberedKeys) {
      this.#latencyByKey.delete(this.#latencyByKey.keys().next().value as string);
    }
    return latency;
  }
}
