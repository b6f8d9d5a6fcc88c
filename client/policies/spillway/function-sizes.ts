/**
 * The menu of function sizes as the policy reckons with it: what a call of each costs and how long it takes to
 * be answered, and which size is the cheapest for the overflow at a given rate.
 */
import { batchSizeTails } from "../../../algorithms/plan/batch-size-law.ts";
import { latenciesMs, type TargetProfile } from "../target-profile.ts";

export interface SizeOnMenu {
  /** Index among the queue's targets. */
  readonly target: number;
  readonly profile: TargetProfile;
  /** Reserved time from sending until the answer, by rows: upload, round trip and a quantile of the service time. */
  readonly latencyMs: readonly number[];
  /** The most rows of a call that is answered within the SLO even if it leaves at once; at least 1. */
  readonly maxRows: number;
}

export class FunctionSizes {
  readonly sizes: readonly SizeOnMenu[];
  /** How long the upload of one row takes. */
  readonly uploadMs: number;
  readonly #sloMs: number;
  readonly #shortestMs: Float64Array;

  /** @param quantile of the service times that is reserved */
  constructor(targets: readonly TargetProfile[], quantile: number, sloMs: number) {
    this.#sloMs = sloMs;
    this.sizes = targets.flatMap((profile, target) =>
      profile.kind === "serverless" ? [menuItem(profile, target, quantile, sloMs)] : [],
    );
    const maxRows = Math.max(1, ...this.sizes.map(({ profile }) => profile.maxBatchRows));
    this.#shortestMs = new Float64Array(maxRows + 1).map((_, rows) =>
      Math.min(...this.sizes.map((size) => latencyOf(size, rows))),
    );
    this.uploadMs = this.sizes[0]?.profile.uploadMs[1] ?? 0;
  }

  /**
   * The size with the least expected cost a request when requests come at that rate and each batch is kept open
   * as long as its oldest can afford (the exact law of batch sizes); the fastest one when none is in time.
   */
  cheapestAt(arrivalsPerMs: number): SizeOnMenu | undefined {
    let cheapest: { readonly size: SizeOnMenu; readonly cost: number } | undefined;
    for (const size of this.sizes) {
      const cost = this.#costPerRequest(size, arrivalsPerMs);
      if (cost !== undefined && (cheapest === undefined || cost < cheapest.cost)) cheapest = { size, cost };
    }
    return cheapest?.size ?? this.#fastest();
  }

  /** The size given when it answers a call of that many rows within `slackMs`, else the cheapest that does, else none. */
  within(slackMs: number, rows: number, preferred: SizeOnMenu): SizeOnMenu | undefined {
    if (latencyOf(preferred, rows) <= slackMs) return preferred;
    let cheapest: SizeOnMenu | undefined;
    for (const size of this.sizes) {
      if (latencyOf(size, rows) > slackMs) continue;
      if (cheapest === undefined || costOf(size, rows) < costOf(cheapest, rows)) cheapest = size;
    }
    return cheapest;
  }

  /** The shortest time in which any size answers a call of that many rows. */
  shortestMs(rows: number): number {
    return this.#shortestMs[Math.min(rows, this.#shortestMs.length - 1)] as number;
  }

  #costPerRequest(size: SizeOnMenu, arrivalsPerMs: number): number | undefined {
    if ((size.latencyMs[1] as number) > this.#sloMs) return undefined;
    const tails = batchSizeTails([{ arrivalsPerMs, sloMs: this.#sloMs }], size.latencyMs);
    let rows = 0;
    let cost = 0;
    for (let k = 1; k < tails.length; k++) {
      const exactly = (tails[k] as number) - (tails[k + 1] ?? 0);
      rows += exactly * k;
      cost += exactly * costOf(size, k);
    }
    return cost / rows;
  }

  #fastest(): SizeOnMenu | undefined {
    let fastest = this.sizes[0];
    for (const size of this.sizes) {
      if ((size.latencyMs[1] as number) < (fastest?.latencyMs[1] as number)) fastest = size;
    }
    return fastest;
  }
}

function menuItem(profile: TargetProfile, target: number, quantile: number, sloMs: number): SizeOnMenu {
  const latencyMs = latenciesMs(profile, quantile);
  let maxRows = 1;
  while (maxRows < profile.maxBatchRows && (latencyMs[maxRows + 1] as number) <= sloMs) maxRows++;
  return { target, profile, latencyMs, maxRows };
}

/** Reserved time of a call; one with more rows than the size takes counts as its largest. */
function latencyOf({ latencyMs, profile }: SizeOnMenu, rows: number): number {
  return latencyMs[Math.min(rows, profile.maxBatchRows)] as number;
}

/** What a call of that many rows costs on average. */
export function costOf({ profile }: SizeOnMenu, rows: number): number {
  return profile.costs[Math.min(rows, profile.maxBatchRows)] as number;
}
