/**
 * Finds the parameters with which a policy does best on a trace, in hindsight: coordinate descent over its grid from
 * the defaults, which are among what is tried, so that it never ends worse than they are.
 */
import { defaultValues, type ParameterGrid, type ParameterValues } from "../client/policies/parameters.ts";
import type { ReplaySummary } from "./summary.ts";

export interface Tuned<Summary> {
  readonly parameters: ParameterValues;
  readonly summary: Summary;
}

/** What is compared. */
type Outcome = Pick<ReplaySummary, "inSloShare" | "cost">;

/** Replays at most, whatever the grid. */
const maxReplays = 40;

/**
 * One parameter after another is set to its best candidate, until none makes a difference or 40 replays are done.
 *
 * @param replay what the policy comes to with these parameters
 */
export async function tune<Summary extends Outcome>(
  grid: ParameterGrid,
  sloQuantile: number,
  replay: (parameters: ParameterValues) => Promise<Summary>,
): Promise<Tuned<Summary>> {
  const tried = new Set<string>();
  const tryOut = async (parameters: ParameterValues): Promise<Tuned<Summary>> => {
    tried.add(JSON.stringify(parameters));
    return { parameters, summary: await replay(parameters) };
  };
  let best = await tryOut(defaultValues(grid));
  for (let before: typeof best | undefined; before !== best;) {
    before = best;
    for (const [name, { candidates }] of Object.entries(grid)) {
      const others = best.parameters;
      for (const value of candidates) {
        const parameters = { ...others, [name]: value };
        if (tried.has(JSON.stringify(parameters))) continue;
        if (tried.size === maxReplays) return best;
        const next = await tryOut(parameters);
        if (isBetter(next.summary, best.summary, sloQuantile)) best = next;
      }
    }
  }
  return best;
}

/**
 * Whether `a` is better: it meets the quantile and `b` does not; or both do and it is cheaper, or costs the same and
 * serves more in SLO; or neither does and it serves more in SLO, or the same and is cheaper.
 */
export function isBetter(a: Outcome, b: Outcome, sloQuantile: number): boolean {
  const [shareA, shareB] = [a.inSloShare ?? 1, b.inSloShare ?? 1];
  const [meetsA, meetsB] = [shareA >= sloQuantile, shareB >= sloQuantile];
  if (meetsA !== meetsB) return meetsA;
  if (meetsA) return a.cost < b.cost || (a.cost === b.cost && shareA > shareB);
  return shareA > shareB || (shareA === shareB && a.cost < b.cost);
}
