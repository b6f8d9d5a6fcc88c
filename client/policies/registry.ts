/**
 * The policies that the daemon and replay can run, by name. A new one is a file beside this one and a line here, and a
 * second line when it has parameters that replay may tune.
 */
import { fixedByProfile, fixedParameters } from "./fixed-by-profile.ts";
import type { ParameterGrid } from "./parameters.ts";
import type { Policy } from "./policy.ts";
import type { PolicyInputs } from "./policy-inputs.ts";
import { spillwayPolicy } from "./spillway/spillway.ts";

/** Makes a policy. Without values, one that has parameters works with their defaults. */
export type PolicyFactory = (inputs: PolicyInputs, values?: never) => Policy;

export const policies = {
  spillway: spillwayPolicy,
  fixed: fixedByProfile,
} as const satisfies Record<string, PolicyFactory>;

export type PolicyName = keyof typeof policies;

export const policyNames = Object.keys(policies) as [PolicyName, ...PolicyName[]];

/** What is tuned in hindsight, and by what. `spillway` never is: it has to find out while it runs. */
export const policyParameters: Partial<Record<PolicyName, ParameterGrid>> = { fixed: fixedParameters };
