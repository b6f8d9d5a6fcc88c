/** How far `spillway` is from the physical limit, and from the best schedule that is known, on a part of a pairing. */
import type { LimitedSummary } from "../../replay/limit/scenario-limit.ts";
import { busiestPart } from "./busiest-part.ts";
import { type Pairing, pairingScenario } from "./pairings.ts";
import type { Replays } from "./replays.ts";

/** Most requests of a part: a search takes about a minute for so many. */
export const mostPartRequests = 40_000;

/** Both serve the same share of the requests in time, or `known` a larger one. */
export interface Distance {
  readonly part: Pairing;
  readonly own: LimitedSummary;
  /** The schedule that was found with hindsight. */
  readonly known: LimitedSummary;
}

/** Undefined for a scenario with lanes, for which no schedule can be searched. */
export async function distanceOf(pairing: Pairing, replays: Replays): Promise<Distance | undefined> {
  if (Object.keys(pairingScenario(pairing).lanes).length > 0) return undefined;
  const part = await busiestPart(pairing, mostPartRequests);
  const [own, known] = await replays.withHindsight(part);
  return { part, own, known };
}
