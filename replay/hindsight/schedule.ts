/** A schedule made with hindsight: what is sent when and where, and what is never sent. */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { Scenario } from "../world/scenario.ts";

/** When the requests arrive, and their rows; both by request id. */
export interface KnownArrivals {
  /** Ascending, in milliseconds from the start. */
  readonly atMs: Float64Array;
  /** From 1. */
  readonly rows: Uint32Array;
}

/** All that a schedule depends on. */
export interface HindsightWorld {
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
  readonly arrivals: KnownArrivals;
  /** Of service times and cold starts, as in a replay. */
  readonly seed: number;
}

export interface PlannedBatch {
  /** Index of the target: the edges, then the function sizes. */
  readonly target: number;
  /** Not before the previous batch of the schedule, nor before one of its requests arrived. */
  readonly formedAtMs: number;
  /** Ids, ascending. */
  readonly requests: readonly number[];
}

/** In the order in which the batches are formed. A request that is in no batch is refused on arrival. */
export type Schedule = readonly PlannedBatch[];
