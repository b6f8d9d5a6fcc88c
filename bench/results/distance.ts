/** How far `spillway` is from the physical limit, and from the best schedule that is known, on a part of a pairing. */
import type { LimitedSummary } from "../../replay/limit/scenario-limit.ts";
import { busiestPart } from "./busiest-part.ts";
import { type Pairing, replayPairing } from "../pairings.ts";

/** Most requests of a part: a search takes about a minute for so many. */
export const mostPartRequests = 40_000;

/** Both serve the same share of the requests in time, or `known` a larger one. */
export interface Distance {
  readonly part: Pairing;
  readonly own: LimitedSummary;
  /** The schedule that was found with hindsight. */
  readonly known: LimitedSummary;
}

export async function distanceOf(pairing: Pairing): Promise<Distance> {
  const part = await busiestPart(pairing, mostPartRequests);
  const compared = await replayPairing(part, ["--compare", "spillway", "--hindsight"]);
  const [own, known] = compared as [LimitedSummary, LimitedSummary];
  return { part, own, known };
}
