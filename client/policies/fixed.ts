/**
 * The fixed plan: batches of a set size go to the targets in turn. A batch is sent when it is full, when its
 * oldest request has waited for the timeout, or when the earliest deadline leaves no more time. It plans
 * nothing, so it is the baseline against which better policies are measured.
 */
import { checkInteger, checkRange } from "../../base/check-range.ts";
import { hasRoom, readyAtMs, type TargetView } from "../targets/target-view.ts";
import { mostRowsOfKey } from "./queue-key.ts";
import { waitsFor } from "./reasons/reason.ts";
import { type Decision, type Policy, type QueueView, type ReleaseReason, requestsWithin } from "./policy.ts";

export interface FixedPlan {
  /**
   * Planned rows of a batch by target, in the order of the queue's targets; each an integer from 1. A key that allows
   * fewer rows has these.
   */
  readonly batchRows: readonly number[];
  /** Longest time that a request waits for others to share its batch, from its arrival, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Makes the fixed plan's policy.
 *
 * @throws RangeError when a batch size is not an integer from 1 or the timeout is negative
 *
 * @example With 20 waiting requests of one row and two healthy targets:
 * const policy = fixedPolicy({ batchRows: [20, 2], timeoutMs: 400 });
 * policy.decide(view); // { kind: "dispatch", count: 20, target: 0, plannedRows: 20, reason: "full" }
 */
export function fixedPolicy(plan: FixedPlan): Policy {
  for (const rows of plan.batchRows) checkInteger("batchRows", rows, 1);
  checkRange("timeoutMs", plan.timeoutMs, plan.timeoutMs >= 0, "0 or more");
  const batchRows = [...plan.batchRows];
  const known = { ...plan, batchRows };
  let batchesSent = 0;
  return {
    name: "fixed",
    decide: (view) => decide(known, view, batchesSent),
    sent: () => void batchesSent++,
    targetAdded: (target, { batchRows: rows = 1 }) => void (batchRows[target] = rows),
  };
}

function decide(plan: FixedPlan, view: QueueView, batchesSent: number): Decision {
  const target = nextTarget(view, batchesSent);
  if (target === undefined) return { kind: "wait", untilMs: earliestResumeMs(view), why: waitsFor("pause") };
  const { line, nowMs } = view;
  const plannedRows = Math.min(plan.batchRows[target] as number, mostRowsOfKey(line.key));
  const dispatch = (reason: ReleaseReason): Decision => ({
    kind: "dispatch",
    count: requestsWithin(line, plannedRows),
    target,
    plannedRows,
    reason,
  });
  if (line.rows >= plannedRows) return dispatch("full");
  if (view.draining) return dispatch("drain");
  const timeoutAtMs = line.oldestArrivalMs() + plan.timeoutMs;
  const lastMomentMs = line.at(0).deadlineAtMs - (view.targets[target] as TargetView).latencyMs(line.key);
  if (nowMs >= timeoutAtMs) return dispatch("timeout");
  if (nowMs >= lastMomentMs) return dispatch("deadline");
  return { kind: "wait", untilMs: Math.min(timeoutAtMs, lastMomentMs), why: waitsFor("company") };
}

/**
 * The next target in turn that can take a batch now. A request that has failed before does not probe a target
 * while another target is healthy.
 */
function nextTarget({ targets, nowMs, line }: QueueView, batchesSent: number): number | undefined {
  let probed: number | undefined;
  for (let step = 0; step < targets.length; step++) {
    const index = (batchesSent + step) % targets.length;
    const target = targets[index] as TargetView;
    if (!hasRoom(target, nowMs)) continue;
    if (target.health(nowMs).kind === "healthy" || line.at(0).attempts === 0) return index;
    probed ??= index;
  }
  return probed;
}

function earliestResumeMs({ targets, nowMs }: QueueView): number {
  // A target that is only full resumes with its next result, which is an event of its own.
  const resumesMs = targets.map((target) => readyAtMs(target.health(nowMs))).filter((atMs) => atMs > nowMs);
  return Math.min(Infinity, ...resumesMs);
}
