/**
 * All policies by name, each made from the same inputs. A new one is a line here and a file beside it, and a second
 * line when it has parameters.
 */
import type { Policy } from "../../client/policies/policy.ts";
import { batchParameters, batchPolicy } from "./batch/batch.ts";
import { bentomlParameters, bentomlPolicy } from "./bentoml/bentoml.ts";
import { clipperParameters, clipperPolicy } from "./clipper.ts";
import { edgeOnlyPolicy } from "./edge-only.ts";
import { fixedAsStarted, fixedParameters } from "./fixed-as-started.ts";
import { greedyPolicy } from "./greedy.ts";
import { harmonybatchParameters, harmonybatchPolicy } from "./harmonybatch/harmonybatch.ts";
import type { ParameterGrid, ParameterValues } from "./parameters.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { serverlessOnlyPolicy } from "./serverless-only.ts";
import { spillwayPolicy } from "../../client/policies/spillway/spillway.ts";
import { tritonParameters, tritonPolicy } from "./triton.ts";

/** Without values, a policy that has parameters works with their defaults. */
export const policies = {
  fixed: fixedAsStarted,
  "edge-only": edgeOnlyPolicy,
  "serverless-only": serverlessOnlyPolicy,
  greedy: greedyPolicy,
  batch: batchPolicy,
  harmonybatch: harmonybatchPolicy,
  clipper: clipperPolicy,
  triton: tritonPolicy,
  bentoml: bentomlPolicy,
  spillway: spillwayPolicy,
} as const satisfies Record<string, (inputs: PolicyInputs, values?: never) => Policy>;

export type PolicyName = keyof typeof policies;

export const policyNames = Object.keys(policies) as [PolicyName, ...PolicyName[]];

/** What is tuned in hindsight, and by what. `spillway` never is: it has to find out while it runs. */
export const policyParameters: Partial<Record<PolicyName, ParameterGrid>> = {
  fixed: fixedParameters,
  batch: batchParameters,
  harmonybatch: harmonybatchParameters,
  clipper: clipperParameters,
  triton: tritonParameters,
  bentoml: bentomlParameters,
};

/** Makes a policy with these values, one for each parameter of its grid; undefined: the defaults. */
export function policyWith(
  name: PolicyName,
  values: ParameterValues | undefined,
): (inputs: PolicyInputs) => Policy {
  // Each factory knows its own parameters' names; here they are only names.
  const make = policies[name] as (inputs: PolicyInputs, values?: ParameterValues) => Policy;
  return (inputs) => make(inputs, values);
}
