/** Functions that fail as a test says, and a policy that shows what the queue makes of it. */
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { BatchResult } from "../../client/targets/target.ts";
import { hasRoom, readyAtMs } from "../../client/targets/target-view.ts";
import { answered } from "./scripted-target.ts";

/** One request a call, to the first target that takes one. */
export const eager: Policy = {
  name: "eager",
  decide: ({ nowMs, targets }) => {
    const target = targets.findIndex((each) => hasRoom(each, nowMs));
    if (target >= 0) return { kind: "dispatch", count: 1, target, plannedRows: 1, reason: "full" };
    const resumeMs = targets.map((each) => readyAtMs(each.health(nowMs))).filter((atMs) => atMs > nowMs);
    return { kind: "wait", untilMs: Math.min(Infinity, ...resumeMs) };
  },
};

export function failed(code: ErrorCode, message?: string, retryAfterMs?: number): BatchResult<number> {
  return { ok: false, error: new SpillwayError(code, message, { retryAfterMs }) };
}

/** Answers from that call on, counted from 0; fails before. */
export const wellFrom =
  (atCall: number, code: ErrorCode) => (batch: Parameters<typeof answered>[0], nth: number) =>
    nth < atCall ? failed(code) : answered(batch);
