/** What policies share that use the edge alone and form a batch only when a replica is free to serve it. */
import type { QueueView } from "../../client/policies/policy.ts";
import { readyAtMs, type TargetView } from "../../client/targets/target-view.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";

export interface Edge {
  /** Index among the queue's targets. */
  readonly index: number;
  readonly profile: TargetProfile;
}

/**
 * The first edge among the targets.
 *
 * @throws RangeError when the targets hold no edge
 */
export function edgeAmong(targets: readonly TargetProfile[]): Edge {
  const index = targets.findIndex(({ kind }) => kind === "edge");
  const profile = targets[index];
  if (profile === undefined) throw new RangeError("targets hold no edge");
  return { index, profile };
}

/**
 * When a replica can take a batch: now, at a later moment when the edge is paused, or Infinity when all
 * replicas are busy, until the next answer.
 */
export function replicaFreeAtMs({ nowMs, targets }: QueueView, { index, profile }: Edge): number {
  const edge = targets[index] as TargetView;
  const { inFlight, maxInFlight } = edge;
  const readyMs = readyAtMs(edge.health(nowMs));
  if (readyMs > nowMs) return readyMs;
  return inFlight < Math.min(profile.replicas, maxInFlight) ? nowMs : Infinity;
}
