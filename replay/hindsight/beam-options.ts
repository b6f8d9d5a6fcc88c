/** What a search is told, and what it finds. */
import type { DrawBalance } from "./draw-balance.ts";
import type { Schedule } from "./schedule.ts";
import type { WarmPlan } from "./warm-plan.ts";

export interface BeamOptions {
  /** States that are kept at each arrival: about so many without an open call, and with one of each size. */
  readonly width: number;
  readonly perSize: number;
  /** What a lost request counts, in the sheet's currency, by the index of an arrival near it. */
  readonly lossPriceAt: (request: number) => number;
  /** Factor on the least shares by which an open call and backlog are valued. */
  readonly priceFactor: number;
  readonly balance: DrawBalance;
  readonly warm?: WarmPlan | undefined;
  readonly onProgress?: ((requests: number) => void) | undefined;
}

export interface Found {
  readonly schedule: Schedule;
  readonly cost: number;
  readonly lost: number;
}
