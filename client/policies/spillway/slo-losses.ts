/**
 * Counts the requests that missed the SLO by cause, beside how many may. What causes too many of them is answered by its own
 * means: calls that leave earlier, faster sizes, more instances, instances that are kept, larger batches at the edge.
 */

/**
 * `waited`: for functions, though an earlier call could have been in time. `cold`: no instance was warm, or the call was sent
 * to start one. `edge`: it was on an edge when its time was over.
 */
export type LossCause = "waited" | "cold" | "edge";

/** Requests over which the recent losses are averaged. */
const recentRequests = 1_000;
/** The part of the recent losses that is left after one more request. */
const kept = 1 - 1 / recentRequests;
/** Losses are not judged before so many requests: one of them alone would be more than the allowance. */
const fewRequests = 50;

/** What a quantile such as 0.99 leaves is not exact. */
const rounding = 1e-9;
/** From this part of the allowance on, the rest is guarded. */
const tightFrom = 0.4;

/**
 * @example With an allowance of one in a hundred, of 200 requests of which two missed the SLO:
 * losses.spent("waited"); // 1
 */
export class SloLosses {
  readonly #allowed: number;
  #arrived = 0;
  readonly #lost: Record<LossCause, { all: number; recent: number }> = {
    waited: { all: 0, recent: 0 },
    cold: { all: 0, recent: 0 },
    edge: { all: 0, recent: 0 },
  };

  /** @param sloQuantile share of requests that must meet the SLO, from 0 to 1 */
  constructor(sloQuantile: number) {
    this.#allowed = Math.max(1e-4, 1 - sloQuantile);
  }

  arrived(): void {
    this.#arrived++;
    const { waited, cold, edge } = this.#lost;
    waited.recent *= kept;
    cold.recent *= kept;
    edge.recent *= kept;
  }

  /** @param count requests that missed the SLO */
  lost(cause: LossCause, count: number): void {
    this.#lost[cause].all += count;
    this.#lost[cause].recent += count;
  }

  /** The part of the allowance that these causes have spent: of the whole time, or recently if that is more. From 0; may be above 1. */
  spent(...by: readonly LossCause[]): number {
    let all = 0;
    let recent = 0;
    for (const cause of by.length === 0 ? causes : by) {
      all += this.#lost[cause].all;
      recent += this.#lost[cause].recent;
    }
    const arrived = Math.max(fewRequests, this.#arrived);
    return Math.max(all / arrived, recent / Math.min(recentRequests, arrived)) / this.#allowed;
  }

  /** Whether that cause, or all together, have spent so much of the recent allowance that money comes second. */
  isTight(by?: LossCause): boolean {
    return (
      (by === undefined ? this.#recentOfAll : this.#lost[by].recent) >= tightFrom * this.#most - rounding
    );
  }

  /** Whether waiting has spent all of the recent allowance. */
  get isWaitingTooLong(): boolean {
    return this.#lost.waited.recent >= this.#most - rounding;
  }

  /** Whether one more request may be lost on purpose: not more than that part of the recent allowance is spent then. */
  canSpare(part: number): boolean {
    return this.#recentOfAll + 1 <= part * this.#most + rounding;
  }

  /** Requests of the recent ones that may be lost. */
  get #most(): number {
    return this.#allowed * recentRequests;
  }

  get #recentOfAll(): number {
    const { waited, cold, edge } = this.#lost;
    return waited.recent + cold.recent + edge.recent;
  }
}

const causes: readonly LossCause[] = ["waited", "cold", "edge"];
