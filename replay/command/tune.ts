/**
 * `--tune`: finds the parameters with which a policy does best on a trace, in hindsight, by coordinate descent over its
 * grid. The search starts from the defaults, so the result is never worse than they are. A replay ends as soon as it can no
 * longer become the best one, which changes nothing of the result.
 */
import { UsageError } from "../../base/usage-error.ts";
import { defaultValues, type ParameterGrid, type ParameterValues } from "../../client/policies/parameters.ts";
import { type ReplayPolicyName, replayParameters } from "../peers/registry.ts";
import { meetsSlo, type ReplaySummary, type SoFar } from "../summary.ts";
import type { Scenario } from "../world/scenario.ts";

/** What is compared. */
type Outcome = Pick<ReplaySummary, "requests" | "inSloShare" | "cost" | "lanes">;

/** The shares that must meet their SLOs. */
type Promised = Pick<Scenario, "sloQuantile" | "lanes">;

interface Tuned {
  readonly parameters: ParameterValues;
  readonly summary: Outcome;
}

/** Most replays, whatever the grid. */
const maxReplays = 40;

/** @throws UsageError when the policy has no parameters */
export function checkTunable(policy: ReplayPolicyName): void {
  if (replayParameters[policy] !== undefined) return;
  const names = Object.keys(replayParameters).join(", ");
  throw new UsageError(`--tune with --policy ${policy}, which has no parameters; allowed: ${names}`);
}

/**
 * Sets one parameter after another to its best candidate, until none makes a difference or 40 replays are done.
 *
 * @param replay what the policy comes to with these parameters; where `isEnough` says true it may end before the trace does
 */
export async function tune(
  grid: ParameterGrid,
  promised: Promised,
  replay: (parameters: ParameterValues, isEnough: (soFar: SoFar) => boolean) => Promise<Outcome>,
): Promise<Tuned> {
  const tried = new Set<string>();
  const defaults = defaultValues(grid);
  tried.add(JSON.stringify(defaults));
  const whole = await replay(defaults, () => false);
  let best: Tuned = { parameters: defaults, summary: whole };
  for (let before: typeof best | undefined; before !== best;) {
    before = best;
    for (const [name, { candidates }] of Object.entries(grid)) {
      const others = best.parameters;
      for (const value of candidates) {
        const parameters = { ...others, [name]: value };
        if (tried.has(JSON.stringify(parameters))) continue;
        if (tried.size === maxReplays) return best;
        tried.add(JSON.stringify(parameters));
        let isBeaten = false;
        const least = best.summary;
        const summary = await replay(parameters, (soFar) => {
          isBeaten = !isBetter(bestEnd(soFar, whole), least, promised);
          return isBeaten;
        });
        if (!isBeaten && isBetter(summary, least, promised)) best = { parameters, summary };
      }
    }
  }
  return best;
}

/**
 * What a replay comes to if all that has not ended is answered in SLO and costs nothing.
 *
 * @param whole of any replay of the same arrivals
 */
function bestEnd({ cost, lost, lostByLane }: SoFar, whole: Outcome): Outcome {
  const { requests } = whole;
  const inSloShare = requests === 0 ? null : (requests - lost) / requests;
  if (whole.lanes === undefined) return { requests, cost, inSloShare };
  const lanes = Object.entries(whole.lanes).map(([name, lane]) => {
    const inSlo = lane.requests - (lostByLane[name] ?? 0);
    return [name, { requests: lane.requests, inSlo, share: inSlo / lane.requests }] as const;
  });
  return { requests, cost, inSloShare, lanes: Object.fromEntries(lanes) };
}

/**
 * Whether `a` is better than `b`. One that meets the quantile beats one that does not. If both meet it, the cheaper one
 * wins, then the larger share in SLO; if neither does, the larger share wins, then the cheaper one.
 */
export function isBetter(a: Outcome, b: Outcome, promised: Promised): boolean {
  const [shareA, shareB] = [a.inSloShare ?? 1, b.inSloShare ?? 1];
  const [meetsA, meetsB] = [meetsSlo(a, promised), meetsSlo(b, promised)];
  if (meetsA !== meetsB) return meetsA;
  if (meetsA) return a.cost < b.cost || (a.cost === b.cost && shareA > shareB);
  return shareA > shareB || (shareA === shareB && a.cost < b.cost);
}
