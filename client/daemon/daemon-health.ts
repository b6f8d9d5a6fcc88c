/** What a daemon says of itself: whether it can serve, what its lanes hold, and how its targets are. */
import type { LaneLoad } from "../queue/lanes/lanes.ts";
import type { SpendStatus } from "../targets/spend-cap.ts";
import type { TargetCondition } from "../targets/target-state.ts";
import type { LaneReport } from "./observe/lane-goals.ts";
import type { TargetReport } from "./target-watch.ts";

export interface DaemonStatus {
  /** True when a request that is submitted now can be served. */
  readonly isReady: boolean;
  /** What each lane holds, promises and keeps, by name, with "" for requests without a lane. */
  readonly lanes: Readonly<Record<string, LaneLoad & Partial<LaneReport>>>;
  readonly spend: SpendStatus;
}

/** A target now, with its health as the queue sees it by the batches that it sent once there is a queue. */
export interface TargetNow
  extends TargetReport, Partial<Pick<TargetCondition, "health" | "pausedForMs" | "inFlight">> {}

export interface DaemonHealth {
  /** True when a request that is submitted now can be served, as far as that is known. */
  readonly isReady: boolean;
  /** Why it cannot be served. */
  readonly reason?: string;
  readonly targets: readonly TargetNow[];
}

/** A report of a target, with what the queue has seen of it. */
export function nowOf(report: TargetReport, seen: readonly TargetCondition[]): TargetNow {
  const state = seen.find(({ name }) => name === report.name);
  if (state === undefined) return report;
  const { name: _, why = report.why, ...facts } = state;
  return { ...report, ...(why !== undefined && { why }), ...facts };
}
