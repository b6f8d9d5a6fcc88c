/** Lets a policy see some of the queue's targets only, under indices of its own. */
import type { TargetView } from "../targets/target-view.ts";
import { type Policy, type QueueView, wrapPolicy } from "./policy.ts";

/** @param indices of the targets that the policy sees, among the queue's */
export function amongTargets(policy: Policy, indices: readonly number[]): Policy {
  let all: readonly TargetView[] = [];
  let some: readonly TargetView[] = [];
  const shown = (view: QueueView): QueueView => {
    if (view.targets !== all) {
      all = view.targets;
      some = indices.map((index) => all[index] as TargetView);
    }
    return { ...view, targets: some };
  };
  return wrapPolicy(policy, {
    decide: (view) => {
      const decision = policy.decide(shown(view));
      return decision.kind === "dispatch"
        ? { ...decision, target: indices[decision.target] as number }
        : decision;
    },
    took: (view, decision) => policy.took?.(shown(view), decision),
    sent: (batch) => policy.sent?.({ ...batch, target: indices.indexOf(batch.target) }),
    ended: (batch) => {
      const target = indices.indexOf(batch.target);
      if (target !== -1) policy.ended?.({ ...batch, target });
    },
  });
}
