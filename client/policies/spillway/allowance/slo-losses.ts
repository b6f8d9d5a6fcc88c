/**
 * Counts the requests that missed the SLO by lane and cause, beside how many may. What causes too many of them is answered by
 * its own means: calls that leave earlier, faster sizes, more instances, instances that are kept, larger batches at the edge.
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

/** What one lane has lost. */
interface LaneLosses {
  readonly lane: string;
  readonly allowed: number;
  arrived: number;
  readonly lost: Record<LossCause, { all: number; recent: number }>;
}

/**
 * Each lane must meet its own quantile: what is said of losses is said of the lane that is worst off.
 *
 * @example With an allowance of one in a hundred, of 200 requests of which two missed the SLO:
 * losses.spent("waited"); // 1
 */
export class SloLosses {
  readonly #quantile: number;
  readonly #quantiles: Readonly<Record<string, number>>;
  readonly #byLane = new Map<string, LaneLosses>();
  /** The same, because a loop over an array is quicker. */
  readonly #lanes: LaneLosses[] = [];
  /** The lane that was asked for last: mostly there is one. */
  #latest: LaneLosses | undefined;

  /**
   * @param sloQuantile share of requests that must meet the SLO, from 0 to 1
   * @param laneQuantiles the same of lanes for which it differs
   */
  constructor(sloQuantile: number, laneQuantiles: Readonly<Record<string, number>> = {}) {
    this.#quantile = sloQuantile;
    this.#quantiles = laneQuantiles;
  }

  arrived(lane = ""): void {
    const losses = this.#of(lane);
    losses.arrived++;
    const { waited, cold, edge } = losses.lost;
    waited.recent *= kept;
    cold.recent *= kept;
    edge.recent *= kept;
  }

  /**
   * @param count requests that missed the SLO
   * @param lanes the lane of each of them; default: ""
   */
  lost(cause: LossCause, count: number, lanes: readonly string[] = []): void {
    for (let nth = 0; nth < count; nth++) {
      const lost = this.#of(lanes[nth] ?? "").lost[cause];
      lost.all++;
      lost.recent++;
    }
  }

  /**
   * The part of the allowance that a cause has spent, or all together: of the whole time, or recently if that is more. From 0;
   * may be above 1.
   */
  spent(by?: LossCause): number {
    let most = 0;
    for (const lane of this.#lanes) {
      const { allowed, arrived, lost } = lane;
      const all = by === undefined ? lost.waited.all + lost.cold.all + lost.edge.all : lost[by].all;
      const known = Math.max(fewRequests, arrived);
      const recent = recentOf(lane, by) / Math.min(recentRequests, known);
      most = Math.max(most, Math.max(all / known, recent) / allowed);
    }
    return most;
  }

  /** Whether a cause, or all together, have spent so much of the recent allowance that money comes second. */
  isTight(by?: LossCause): boolean {
    for (const lane of this.#lanes)
      if (recentOf(lane, by) >= tightFrom * mostOf(lane) - rounding) return true;
    return false;
  }

  /** Whether waiting has spent all of the recent allowance. */
  get isWaitingTooLong(): boolean {
    return this.#lanes.some((lane) => recentOf(lane, "waited") >= mostOf(lane) - rounding);
  }

  /** Whether so many more requests may be lost: not more than that part of the recent allowance is spent then. */
  canSpare(part: number, more = 1): boolean {
    return this.#lanes.every((lane) => recentOf(lane) + more <= part * mostOf(lane) + rounding);
  }

  /** The same of all that may be lost of those who have arrived. */
  hasEarned(part: number, more: number): boolean {
    return this.#lanes.every(({ arrived, allowed, lost: { waited, cold, edge } }) => {
      return waited.all + cold.all + edge.all + more <= part * allowed * arrived + rounding;
    });
  }

  #of(lane: string): LaneLosses {
    if (this.#latest?.lane === lane) return this.#latest;
    let losses = this.#byLane.get(lane);
    if (losses === undefined) {
      const quantile = this.#quantiles[lane] ?? this.#quantile;
      const lost = { waited: noLosses(), cold: noLosses(), edge: noLosses() };
      losses = { lane, allowed: Math.max(1e-4, 1 - quantile), arrived: 0, lost };
      this.#byLane.set(lane, losses);
      this.#lanes.push(losses);
    }
    this.#latest = losses;
    return losses;
  }
}

function noLosses(): { all: number; recent: number } {
  return { all: 0, recent: 0 };
}

/** Requests of the recent ones that may be lost. */
function mostOf({ allowed }: LaneLosses): number {
  return allowed * recentRequests;
}

/** Of a cause, or of all. */
function recentOf({ lost }: LaneLosses, by?: LossCause): number {
  return by === undefined ? lost.waited.recent + lost.cold.recent + lost.edge.recent : lost[by].recent;
}
