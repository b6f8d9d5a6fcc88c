/** Which policies can run in a world that has edges alone, or functions alone. */
import { UsageError } from "../../base/usage-error.ts";
import { policyWith, type ReplayPolicyName } from "../peers/registry.ts";
import type { World } from "./replay-world.ts";

/** A policy that cannot run, and why. */
export interface LeftOut {
  readonly policy: ReplayPolicyName;
  readonly why: string;
}

/**
 * Divides policies into those that can run in the world and those that cannot.
 *
 * @example
 * runnableIn(["edge-only", "serverless-only"], worldOfEdges).leftOut; // [{ policy: "serverless-only", why: "the world has no function" }]
 *
 * @throws UsageError when none of them can
 */
export function runnableIn(
  policies: readonly ReplayPolicyName[],
  world: World,
): { readonly runnable: readonly ReplayPolicyName[]; readonly leftOut: readonly LeftOut[] } {
  const kinds = new Set(world.profiles.map(({ kind }) => kind));
  if (kinds.size !== 1 || policies.length === 0) return { runnable: policies, leftOut: [] };
  const why = `the world has no ${kinds.has("edge") ? "function" : "edge"}`;
  const runnable = policies.filter((policy) => canRun(policy, world));
  const leftOut = policies.filter((policy) => !runnable.includes(policy)).map((policy) => ({ policy, why }));
  if (runnable.length > 0) return { runnable, leftOut };
  throw new UsageError(
    `${policies.join(", ")} cannot run, because ${why}; allowed: spillway, or --compare all`,
  );
}

/** Policies refuse targets of which they need another kind. */
function canRun(policy: ReplayPolicyName, { profiles, scenario, sheet }: World): boolean {
  const { sloMs, sloQuantile } = scenario;
  const inputs = { targets: profiles, sloMs, sloQuantile, currency: sheet.currency, onPlan: () => {} };
  try {
    policyWith(policy)(inputs);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
