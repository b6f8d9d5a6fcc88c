/** What a policy was shown when it decided, kept for people: the line, and each target. */
import type { TargetHealth } from "../../targets/target-view.ts";
import type { QueueView } from "../policy.ts";

/** A target as the policy saw it. */
export interface TargetSeen {
  readonly name: string;
  readonly inFlight: number;
  readonly maxInFlight: number;
  readonly health: TargetHealth;
}

export interface Seen {
  /** What waited in the line; a row of a split request counts as one. */
  readonly requests: number;
  readonly rows: number;
  /** How long the oldest of them had waited, in milliseconds. */
  readonly oldestWaitedMs: number;
  /** Until the earliest deadline among them, in milliseconds. */
  readonly leftMs: number;
  readonly targets: readonly TargetSeen[];
}

/** Of a line that is not empty. */
export function seenIn({ nowMs, line, targets }: QueueView): Seen {
  return {
    requests: line.length,
    rows: line.rows,
    oldestWaitedMs: nowMs - line.oldestArrivalMs(),
    leftMs: line.at(0).deadlineAtMs - nowMs,
    targets: targetsSeen(targets, nowMs),
  };
}

export function targetsSeen(targets: QueueView["targets"], nowMs: number): TargetSeen[] {
  return targets.map((target) => {
    const { name, inFlight, maxInFlight } = target;
    return { name, inFlight, maxInFlight, health: target.health(nowMs) };
  });
}
