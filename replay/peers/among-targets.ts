/** Lets a policy see some of the queue's targets only, under indices of its own. */
import type { Policy, TargetView } from "../../client/policies/policy.ts";

/** @param indices of the targets that the policy sees, among the queue's */
export function amongTargets(policy: Policy, indices: readonly number[]): Policy {
  let all: readonly TargetView[] = [];
  let some: readonly TargetView[] = [];
  return {
    name: policy.name,
    decide: (view) => {
      if (view.targets !== all) {
        all = view.targets;
        some = indices.map((index) => all[index] as TargetView);
      }
      const decision = policy.decide({ ...view, targets: some });
      return decision.kind === "dispatch"
        ? { ...decision, target: indices[decision.target] as number }
        : decision;
    },
    arrived: (key, rows, nowMs) => policy.arrived?.(key, rows, nowMs),
    ended: (batch) => {
      const target = indices.indexOf(batch.target);
      if (target !== -1) policy.ended?.({ ...batch, target });
    },
  };
}
