/** All policies by name, each made from the same inputs. A new one is a line here and a file beside it. */
import type { Policy } from "../policy.ts";
import { amongTargets } from "./among-targets.ts";
import { edgeOnlyPolicy } from "./edge-only.ts";
import { fixedPolicy } from "./fixed.ts";
import { greedyPolicy } from "./greedy.ts";
import type { PolicyInputs } from "./policy-inputs.ts";
import { serverlessOnlyPolicy } from "./serverless-only.ts";
import { spillwayPolicy } from "./spillway/spillway.ts";
import { cheapestWithin } from "./target-profile.ts";

export const policies = {
  fixed: fixedAsStarted,
  "edge-only": edgeOnlyPolicy,
  "serverless-only": serverlessOnlyPolicy,
  greedy: greedyPolicy,
  spillway: spillwayPolicy,
} as const satisfies Record<string, (inputs: PolicyInputs) => Policy>;

export type PolicyName = keyof typeof policies;

export const policyNames = Object.keys(policies) as [PolicyName, ...PolicyName[]];

/** The rows of the fixed plan, and the part of the SLO that a request waits at most. */
const startingPlan = { edgeRows: 20, functionRows: 2, timeoutPart: 0.4 };

/**
 * The fixed plan with the figures it started from, between the edge and one size: the cheapest that is fast enough
 * after the timeout.
 */
function fixedAsStarted({ targets, sloMs }: PolicyInputs): Policy {
  const { edgeRows, functionRows, timeoutPart } = startingPlan;
  const timeoutMs = timeoutPart * sloMs;
  const [edge, ...sizes] = targets;
  if (edge === undefined || sizes.length === 0) throw new RangeError("targets hold no edge or no function");
  const withinMs = sloMs - timeoutMs;
  const chosen = 1 + cheapestWithin(sizes, { rows: functionRows, withinMs, quantile: 0.95 });
  const most = targets[chosen]?.maxBatchRows as number;
  const batchRows = [Math.min(edgeRows, edge.maxBatchRows), Math.min(functionRows, most)];
  return amongTargets(fixedPolicy({ batchRows, timeoutMs }), [0, chosen]);
}
