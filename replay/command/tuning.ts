/** `--tune`: which replayPolicies can be tuned, the search for their parameters, and how these are shown. */
import type { ParameterValues } from "../../client/policies/parameters.ts";
import { type ReplayPolicyName, replayParameters } from "../peers/registry.ts";
import type { ReplaySummary } from "../summary.ts";
import { tune } from "../tune.ts";
import { UsageError } from "../../base/usage-error.ts";

/** @throws UsageError when the policy has no parameters */
export function checkTunable(policy: ReplayPolicyName): void {
  if (replayParameters[policy] !== undefined) return;
  const names = Object.keys(replayParameters).join(", ");
  throw new UsageError(`--tune with --policy ${policy}, which has no parameters; allowed: ${names}`);
}

/** What the policy comes to with its best parameters; as it is when it has none. */
export async function tunedSummary(
  policy: ReplayPolicyName,
  sloQuantile: number,
  replay: (parameters: ParameterValues | undefined) => Promise<ReplaySummary>,
): Promise<ReplaySummary> {
  const grid = replayParameters[policy];
  if (grid === undefined) return replay(undefined);
  const { parameters, summary } = await tune(grid, sloQuantile, replay);
  return { ...summary, parameters };
}

/** Such as `objectivePart 0.5, stepRows 2`. */
export function formatParameters(parameters: ParameterValues): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}
