/** A target as a probe found it and as the queue sees it, in one. */
import type { TargetCondition } from "../targets/target-state.ts";
import type { TargetReport } from "./target-watch.ts";

/** A target now, with its health as the queue sees it by the batches that it sent once there is a queue. */
export interface TargetNow
  extends TargetReport, Partial<Pick<TargetCondition, "health" | "pausedForMs" | "inFlight">> {}

export function nowOf(report: TargetReport, seen: readonly TargetCondition[]): TargetNow {
  const state = seen.find(({ name }) => name === report.name);
  if (state === undefined) return report;
  const { name: _, why = report.why, ...facts } = state;
  return { ...report, ...(why !== undefined && { why }), ...facts };
}
