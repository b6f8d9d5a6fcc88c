/** What is learned about the targets of a queue, shared by the policies of all its models. */
import { LinkModel } from "../../algorithms/network/link-model.ts";
import { EdgeSharers } from "../targets/edge-sharers.ts";
import { LearnedEdge } from "../targets/learned-edge.ts";
import { LearnedFunctions } from "../targets/learned-functions.ts";
import type { PolicyInputs } from "./policy-inputs.ts";
import type { TargetProfile } from "./target-profile.ts";

/** Differences between upload times below this part of the SLO are taken for jitter. */
const jitterPart = 1e-3;

export interface LearnedTargets {
  /** By target index. */
  readonly edges: Map<number, LearnedEdge>;
  readonly functions: LearnedFunctions;
  readonly sharers: EdgeSharers;
}

/**
 * The state before anything was learned: links are as the profiles say. All functions share one link.
 *
 * @example With an edge as target 0, whose profile says 4 ms of round trip:
 * const { edges, functions } = learnedTargets({ targets: [edge, small], sloMs: 1_000 });
 * edges.get(0)?.link.rttMs; // 4
 * functions.link.freeAtMs; // -Infinity: nothing was sent yet
 */
export function learnedTargets({ targets, sloMs }: Pick<PolicyInputs, "targets" | "sloMs">): LearnedTargets {
  const edges = new Map<number, LearnedEdge>();
  for (const [index, profile] of targets.entries()) {
    if (profile.kind === "edge") edges.set(index, learnedEdge(profile, sloMs));
  }
  const rttMs = targets.find(({ kind }) => kind === "serverless")?.rttMs ?? 0;
  return { edges, functions: new LearnedFunctions(linkOf(rttMs, sloMs)), sharers: new EdgeSharers() };
}

/** What is known of an edge before anything was learned. */
export function learnedEdge({ replicas, rttMs }: TargetProfile, sloMs: number): LearnedEdge {
  return new LearnedEdge(replicas, linkOf(rttMs, sloMs));
}

/** Uploads are measured in milliseconds that they take by the profile, so a unit takes 1 ms at first. */
function linkOf(assumedRttMs: number, sloMs: number): LinkModel {
  return new LinkModel({ assumedRttMs, assumedMsPerByte: 1, jitterMs: jitterPart * sloMs });
}
