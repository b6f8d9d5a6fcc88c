/** What policies share that use the edge alone and form a batch only when a replica is free to serve it. */
import type { QueueView, TargetView } from "../../client/policies/policy.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";

export interface Edge {
  /** Among the queue's targets. */
  readonly index: number;
  readonly profile: TargetProfile;
}

/** @throws RangeError when the targets hold no edge */
export function edgeAmong(targets: readonly TargetProfile[]): Edge {
  const index = targets.findIndex(({ kind }) => kind === "edge");
  const profile = targets[index];
  if (profile === undefined) throw new RangeError("targets hold no edge");
  return { index, profile };
}

/**
 * When a replica can take a batch: now, at a later moment when the edge is left alone because it failed, or
 * Infinity when all are busy and the next answer says.
 */
export function replicaFreeAtMs({ nowMs, targets }: QueueView, { index, profile }: Edge): number {
  const { suspendedUntilMs, inFlight, maxInFlight } = targets[index] as TargetView;
  if (suspendedUntilMs > nowMs) return suspendedUntilMs;
  return inFlight < Math.min(profile.replicas, maxInFlight) ? nowMs : Infinity;
}
