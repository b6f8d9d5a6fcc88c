/** What is learned of the targets of a queue, shared by the policies of all its models. */
import { LearnedEdge } from "../targets/learned-edge.ts";
import { LearnedFunctions } from "../targets/learned-functions.ts";
import type { PolicyInputs } from "./policy-inputs.ts";

export interface LearnedTargets {
  /** By the index of the target. */
  readonly edges: ReadonlyMap<number, LearnedEdge>;
  readonly functions: LearnedFunctions;
}

/** Nothing is learned yet: the links are as the profiles say. Functions share one link. */
export function learnedTargets({
  targets,
  sloMs,
  without = [],
}: Pick<PolicyInputs, "targets" | "sloMs" | "without">): LearnedTargets {
  const linkOf = (rttMs: number) => ({
    rttMs,
    sloMs,
    refits: !without.includes("refit"),
    followsDrift: !without.includes("drift"),
  });
  const edges = new Map<number, LearnedEdge>();
  for (const [index, { kind, replicas, rttMs }] of targets.entries()) {
    if (kind === "edge") edges.set(index, new LearnedEdge(replicas, linkOf(rttMs)));
  }
  const rttMs = targets.find(({ kind }) => kind === "serverless")?.rttMs ?? 0;
  return { edges, functions: new LearnedFunctions(linkOf(rttMs)) };
}
