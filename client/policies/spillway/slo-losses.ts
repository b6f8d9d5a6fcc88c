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
/** Losses are not judged before so many requests: one of them alone would be more than the allowance. */
const fewRequests = 50;

/** What a quantile such as 0.99 leaves is not exact. */
const rounding = 1e-9;
/** From this part of the allowance on, the rest is guarded. */
const tightFrom = 0.4;

/** What one lane has lost. */
interface LaneLosses {
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
    for (const cause of causes) losses.lost[cause].recent *= 1 - 1 / recentRequests;
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

  /** The part of the allowance that these causes have spent: of the whole time, or recently if that is more. From 0; may be above 1. */
  spent(...by: readonly LossCause[]): number {
    let most = 0;
    for (const { allowed, arrived, lost } of this.#lanes) {
      let all = 0;
      let recent = 0;
      for (const cause of by.length === 0 ? causes : by) {
        all += lost[cause].all;
        recent += lost[cause].recent;
      }
      const known = Math.max(fewRequests, arrived);
      most = Math.max(most, Math.max(all / known, recent / Math.min(recentRequests, known)) / allowed);
    }
    return most;
  }

  /** Whether these causes, or all, have spent so much of the recent allowance that money comes second. */
  isTight(...by: readonly LossCause[]): boolean {
    return this.#lanes.some((lane) => recentOf(lane, by) >= tightFrom * mostOf(lane) - rounding);
  }

  /** Whether waiting has spent all of the recent allowance. */
  get isWaitingTooLong(): boolean {
    return this.#lanes.some((lane) => recentOf(lane, ["waited"]) >= mostOf(lane) - rounding);
  }

  /** Whether so many more requests may be lost: not more than that part of the recent allowance is spent then. */
  canSpare(part: number, more = 1): boolean {
    return this.#lanes.every((lane) => recentOf(lane, []) + more <= part * mostOf(lane) + rounding);
  }

  #of(lane: string): LaneLosses {
    let losses = this.#byLane.get(lane);
    if (losses === undefined) {
      const quantile = this.#quantiles[lane] ?? this.#quantile;
      const lost = { waited: none(), cold: none(), edge: none() };
      losses = { allowed: Math.max(1e-4, 1 - quantile), arrived: 0, lost };
      this.#byLane.set(lane, losses);
      this.#lanes.push(losses);
    }
    return losses;
  }
}

/** Requests of the recent ones that may be lost. */
function mostOf({ allowed }: LaneLosses): number {
  return allowed * recentRequests;
}

function recentOf({ lost }: LaneLosses, by: readonly LossCause[]): number {
  return (by.length === 0 ? causes : by).reduce((sum, cause) => sum + lost[cause].recent, 0);
}

const causes: readonly LossCause[] = ["waited", "cold", "edge"];

function none(): { all: number; recent: number } {
  return { all: 0, recent: 0 };
}
