/** Wraps a policy so that it sees only some of the queue's targets, under indices of its own. */
import type { TargetView } from "../targets/target-view.ts";
import { type Policy, type QueueView, wrapPolicy } from "./policy.ts";

/**
 * @param indices the queue's indices of the targets that the policy sees
 *
 * @example The policy's target 1 is the queue's target 2:
 * const policy = amongTargets(fixedPolicy({ batchRows: [20, 2], timeoutMs: 400 }), [0, 2]);
 */
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
