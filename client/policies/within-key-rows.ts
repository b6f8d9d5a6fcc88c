/**
 * Wraps a policy so that no batch of several requests has more rows than its key allows, whatever the policy decides: a
 * model would refuse the batch, or mix up its rows.
 */
import { type Decision, type Policy, type QueueView, wrapPolicy } from "./policy.ts";
import { mostRowsOfKey } from "./queue-key.ts";

export function withinKeyRows(policy: Policy): Policy {
  return wrapPolicy(policy, { decide: (view) => within(view, policy.decide(view)) });
}

function within({ line }: QueueView, decision: Decision): Decision {
  if (decision.kind !== "dispatch" || decision.count === 1) return decision;
  const mostRows = mostRowsOfKey(line.key);
  const { first = 0 } = decision;
  let rows = line.at(first).rows;
  let count = 1;
  while (count < decision.count && rows + line.at(first + count).rows <= mostRows)
    rows += line.at(first + count++).rows;
  return count === decision.count ? decision : { ...decision, count };
}
