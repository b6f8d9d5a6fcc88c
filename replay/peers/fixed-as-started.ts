/**
 * The fixed plan with the figures it started from, between the edge and one size of function: the cheapest that is
 * fast enough after the timeout.
 */
import type { Policy } from "../../client/policies/policy.ts";
import { amongTargets } from "./among-targets.ts";
import { fixedPolicy } from "../../client/policies/fixed.ts";
import { defaultValues, type ParameterGrid } from "./parameters.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { cheapestWithin } from "../../client/policies/target-profile.ts";

export const fixedParameters = {
  /** Rows of a batch to the edge, at most its largest. */
  edgeRows: { default: 20, candidates: [1, 2, 4, 8, 16, 20, 32, 64] },
  /** Rows of a batch to the function, at most its largest. */
  functionRows: { default: 2, candidates: [1, 2, 4, 8, 16, 32] },
  /** The part of the SLO that a request waits at most. */
  timeoutPart: { default: 0.4, candidates: [0.05, 0.1, 0.2, 0.4, 0.6, 0.8] },
} as const satisfies ParameterGrid;

/** The quantile of service times by which a size is fast enough. */
const quantile = 0.95;

export function fixedAsStarted(
  { targets, sloMs }: PolicyInputs,
  values = defaultValues(fixedParameters),
): Policy {
  const timeoutMs = values.timeoutPart * sloMs;
  const [edge, ...sizes] = targets;
  if (edge === undefined || sizes.length === 0) throw new RangeError("targets hold no edge or no function");
  const rows = values.functionRows;
  const chosen = 1 + cheapestWithin(sizes, { rows, withinMs: sloMs - timeoutMs, quantile });
  const most = targets[chosen]?.maxBatchRows as number;
  const batchRows = [Math.min(values.edgeRows, edge.maxBatchRows), Math.min(rows, most)];
  return amongTargets(fixedPolicy({ batchRows, timeoutMs }), [0, chosen]);
}
