/**
 * What BentoML's dispatcher learns from its calls. A call of n requests lasts `perRequestMs * n + fixedMs`,
 * by ordinary least squares over the last 50 calls. Their first requests waited `waitMs` on average.
 *
 * Source: bentoml/BentoML 1.4, `Optimizer` in `src/bentoml/_internal/marshal/dispatcher.py`.
 */

const keptCalls = 50;
/** Calls at the start that are ignored. */
const skippedCalls = 2;
const refreshMs = 5_000;
const leastPerRequestMs = 1e-3;

interface Call {
  readonly requests: number;
  readonly waitMs: number;
  readonly durationMs: number;
}

export class CorkOptimizer {
  perRequestMs: number;
  fixedMs: number;
  waitMs = 0;
  readonly #calls: Call[] = [];
  #ended = 0;
  #refreshedAtMs = -Infinity;

  constructor(maxLatencyMs: number) {
    this.perRequestMs = Math.min(2_000, (maxLatencyMs * 2) / 30);
    this.fixedMs = Math.min(1_000, maxLatencyMs / 30);
  }

  /** A call has come back. The figures are updated every 5 s at most. */
  ended(call: Call, nowMs: number): void {
    if (++this.#ended <= skippedCalls) return;
    if (this.#calls.push(call) > keptCalls) this.#calls.shift();
    if (nowMs - this.#refreshedAtMs < refreshMs) return;
    this.#refreshedAtMs = nowMs;
    this.refresh();
  }

  refresh(): void {
    const calls = this.#calls;
    if (calls.length === 0) return;
    const mean = (of: (call: Call) => number): number =>
      calls.reduce((sum, call) => sum + of(call), 0) / calls.length;
    const meanRequests = mean(({ requests }) => requests);
    const meanMs = mean(({ durationMs }) => durationMs);
    const variance = mean(({ requests }) => (requests - meanRequests) ** 2);
    const covariance = mean(({ requests, durationMs }) => (requests - meanRequests) * (durationMs - meanMs));
    // Calls of one size do not determine the fixed part; then the least-norm solution is used, as there.
    const slope =
      variance > 0 ? covariance / variance : (meanMs * meanRequests) / (meanRequests * meanRequests + 1);
    this.perRequestMs = Math.max(leastPerRequestMs, slope);
    this.fixedMs = Math.max(0, meanMs - slope * meanRequests);
    this.waitMs = Math.max(
      0,
      mean(({ waitMs }) => waitMs),
    );
  }
}
