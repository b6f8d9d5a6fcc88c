/**
 * The fixed plan with its original figures, for the edges and one size of function: the cheapest size that
 * still meets the SLO after the timeout.
 */
import type { Policy } from "../../client/policies/policy.ts";
import { amongTargets } from "./among-targets.ts";
import { fixedPolicy } from "../../client/policies/fixed.ts";
import { defaultValues, type ParameterGrid } from "./parameters.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { cheapestWithin, type TargetProfile } from "../../client/policies/target-profile.ts";
import type { TargetKind } from "../targets/target.ts";

export const fixedParameters = {
  /** Rows of a batch to an edge, at most its largest. */
  edgeRows: { default: 20, candidates: [1, 2, 4, 8, 16, 20, 32, 64] },
  /** Rows of a batch to the function, at most its largest. */
  functionRows: { default: 2, candidates: [1, 2, 4, 8, 16, 32] },
  /** Longest wait of a request, as a part of the SLO. */
  timeoutPart: { default: 0.4, candidates: [0.05, 0.1, 0.2, 0.4, 0.6, 0.8] },
} as const satisfies ParameterGrid;

/** The quantile of the service time that must meet the SLO. */
const quantile = 0.95;

/** @throws RangeError when the targets hold no edge or no function */
export function fixedByProfile(
  { targets, sloMs }: PolicyInputs,
  values = defaultValues(fixedParameters),
): Policy {
  const timeoutMs = values.timeoutPart * sloMs;
  const edges = indicesOf(targets, "edge");
  const functions = indicesOf(targets, "serverless");
  const sizes = functions.map((index) => targets[index] as TargetProfile);
  if (edges.length === 0 || sizes.length === 0)
    throw new RangeError("targets hold no edge or no function; allowed: one of each at least");
  const rows = values.functionRows;
  const chosen = cheapestWithin(sizes, { rows, withinMs: sloMs - timeoutMs, quantile });
  const used = [...edges, functions[chosen] as number];
  const batchRows = used.map((index) => {
    const { kind, maxBatchRows } = targets[index] as TargetProfile;
    return Math.min(kind === "edge" ? values.edgeRows : rows, maxBatchRows);
  });
  return amongTargets(fixedPolicy({ batchRows, timeoutMs }), used);
}

function indicesOf(targets: readonly TargetProfile[], kind: TargetKind): number[] {
  return targets.flatMap((target, index) => (target.kind === kind ? [index] : []));
}
