/** The policies that replay compares: those of the daemon, published systems, and baselines. */
import type { ParameterGrid, ParameterValues } from "../../client/policies/parameters.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { policies, type PolicyFactory, policyParameters } from "../../client/policies/registry.ts";
import { batchParameters, batchPolicy } from "./batch/batch.ts";
import { bentomlParameters, bentomlPolicy } from "./bentoml/bentoml.ts";
import { clipperParameters, clipperPolicy } from "./clipper.ts";
import { edgeOnlyPolicy } from "./edge-only.ts";
import { greedyPolicy } from "./greedy.ts";
import { harmonybatchParameters, harmonybatchPolicy } from "./harmonybatch/harmonybatch.ts";
import { serverlessOnlyPolicy } from "./serverless-only.ts";
import { tritonParameters, tritonPolicy } from "./triton.ts";

const { spillway, ...daemonPolicies } = policies;

/** In the order of tables: baselines, published systems, and `spillway` at the end. */
export const replayPolicies = {
  ...daemonPolicies,
  "edge-only": edgeOnlyPolicy,
  "serverless-only": serverlessOnlyPolicy,
  greedy: greedyPolicy,
  batch: batchPolicy,
  harmonybatch: harmonybatchPolicy,
  clipper: clipperPolicy,
  triton: tritonPolicy,
  bentoml: bentomlPolicy,
  spillway,
} as const satisfies Record<string, PolicyFactory>;

export type ReplayPolicyName = keyof typeof replayPolicies;

export const replayPolicyNames = Object.keys(replayPolicies) as [ReplayPolicyName, ...ReplayPolicyName[]];

/** The parameters that can be tuned, by policy. */
export const replayParameters: Partial<Record<ReplayPolicyName, ParameterGrid>> = {
  ...policyParameters,
  batch: batchParameters,
  harmonybatch: harmonybatchParameters,
  clipper: clipperParameters,
  triton: tritonParameters,
  bentoml: bentomlParameters,
};

/** Makes a policy with these values, one for each parameter of its grid; undefined: the defaults. */
export function policyWith(
  name: ReplayPolicyName,
  values?: ParameterValues,
): (inputs: PolicyInputs) => Policy {
  // Each factory knows the names of its own parameters; here they are just strings.
  const make = replayPolicies[name] as (inputs: PolicyInputs, values?: ParameterValues) => Policy;
  return (inputs) => make(inputs, values);
}
