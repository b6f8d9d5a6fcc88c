/**
 * The policies that the daemon and replay can run, by name. To add one, write a file beside this one and add
 * a line here, and a second line when it has parameters that replay may tune.
 */
import { fixedByProfile, fixedParameters } from "./fixed-by-profile.ts";
import type { ParameterGrid } from "./parameters.ts";
import type { PlanningPolicy, PolicyInputs } from "./policy-inputs.ts";
import { spillwayPolicy } from "./spillway/spillway.ts";

/** Makes a policy. A policy with parameters uses their defaults when no values are given. */
export type PolicyFactory = (inputs: PolicyInputs, values?: never) => PlanningPolicy;

export const policies = {
  spillway: spillwayPolicy,
  fixed: fixedByProfile,
} as const satisfies Record<string, PolicyFactory>;

export type PolicyName = keyof typeof policies;

export const policyNames = Object.keys(policies) as [PolicyName, ...PolicyName[]];

/** The parameters that replay may tune in hindsight. `spillway` has none, because it learns while it runs. */
export const policyParameters: Partial<Record<PolicyName, ParameterGrid>> = { fixed: fixedParameters };
