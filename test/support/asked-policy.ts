/** Asks a policy by hand, and does with its decision what the queue does; and shows it targets as the queue does. */
import type { Decision, Policy, QueueView } from "../../client/policies/policy.ts";
import type { TargetHealth, TargetView } from "../../client/targets/target-view.ts";

/**
 * Plans that are due are made, and the decision is carried out: its batch leaves.
 *
 * @param id of the batch, if one leaves
 */
export function ask(policy: Policy, view: QueueView, id = 0): Decision {
  const { nowMs, line } = view;
  policy.plan?.(line.key, nowMs);
  const decision = policy.decide(view);
  policy.took?.(view, decision);
  if (decision.kind === "dispatch") {
    const { first = 0, count, target } = decision;
    let rows = 0;
    for (let index = first; index < first + count; index++) rows += line.at(index).rows;
    policy.sent?.({ id, target, key: line.key, rows, formedAtMs: nowMs });
  }
  return decision;
}

/** A target that is well, idle and takes 16 batches at once, unless the facts say otherwise. */
export function shownTarget(
  facts: Partial<Omit<TargetView, "health">> & Pick<TargetView, "name" | "kind">,
  health: TargetHealth = { kind: "healthy" },
): TargetView {
  const { underWay = [] } = facts;
  return {
    underWay,
    inFlight: underWay.length,
    maxInFlight: 16,
    latencyMs: () => 50,
    ...facts,
    health: (nowMs) => (health.kind === "paused" && health.untilMs <= nowMs ? probingAfter(health) : health),
  };
}

export function pausedUntil(untilMs: number, isShared = false): TargetHealth {
  return { kind: "paused", untilMs, isShared };
}

/** After its pause a target is probed. */
function probingAfter({ untilMs, isShared }: TargetHealth & { kind: "paused" }): TargetHealth {
  return { kind: "probing", sinceMs: untilMs, isShared };
}
