/** What is learned about the targets of a queue, shared by the policies of all its models. */
import { LearnedEdge } from "../targets/learned-edge.ts";
import { LearnedFunctions } from "../targets/learned-functions.ts";
import type { PolicyInputs } from "./policy-inputs.ts";

export interface LearnedTargets {
  /** By target index. */
  readonly edges: ReadonlyMap<number, LearnedEdge>;
  readonly functions: LearnedFunctions;
}

/**
 * The state before anything was learned: links are as the profiles say. All functions share one link.
 *
 * @example With an edge as target 0, whose profile says 4 ms of round trip:
 * const { edges, functions } = learnedTargets({ targets: [edge, small], sloMs: 1_000 });
 * edges.get(0)?.link.rttMs; // 4
 * functions.link.freeAtMs; // -Infinity: nothing was sent yet
 */
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
