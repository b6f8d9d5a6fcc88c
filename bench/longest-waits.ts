/** What the longest wait of a request for company (`--timeout`) costs, and what it saves in latency, on recorded pairings. */
import { spillwayPolicy } from "../client/policies/spillway/spillway.ts";
import { readWorld } from "../replay/command/replay-world.ts";
import { replayTrace } from "../replay/run.ts";
import type { ReplaySummary } from "../replay/summary.ts";
import { type Pairing, resultsSeed, scenarioPath, tracePath } from "./pairings.ts";

/** Values of `--timeout` in seconds; undefined: it is not given. */
const timeoutsS = [undefined, 0, 0.05, 0.1, 0.2, 0.4, 0.8] as const;

/** One with an edge that is seldom full, and one with an edge that is full all the time. */
export const waitPairings: readonly string[] = ["code-gpu1s", "worldcup-overload"];

export interface LongestWait {
  readonly timeoutS: number | undefined;
  readonly summary: ReplaySummary;
}

/** The policy `spillway` on a pairing, with each longest wait. */
export async function longestWaits(pairing: Pairing): Promise<LongestWait[]> {
  const { fromS, toS, scale } = pairing;
  const world = readWorld(tracePath(pairing), scenarioPath(pairing));
  const waits: LongestWait[] = [];
  for (const timeoutS of timeoutsS) {
    const maxWaitMs = timeoutS === undefined ? undefined : 1_000 * timeoutS;
    const summary = await replayTrace({
      ...world,
      policy: (inputs) => spillwayPolicy({ ...inputs, maxWaitMs }),
      seed: resultsSeed,
      fromS,
      toS,
      scale,
    });
    waits.push({ timeoutS, summary });
  }
  return waits;
}
