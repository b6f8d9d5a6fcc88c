/** When to give up a batch on an edge: not before the edge hangs, but while functions can still save it. */
import type { WaitingRequest } from "../policy.ts";
import type { FunctionMenu } from "./function-menu.ts";

/** An edge hangs when a batch takes this many times its expected time, and at least this part of the SLO. */
const patienceTimes = 4;
const leastPatience = 0.25;
/** The part of the SLO within which a failed edge must answer a probe. */
const probePatience = 0.05;

/**
 * How long a batch may take before its edge counts as hanging.
 *
 * @param expectedMs from now until the batch's answer, as the schedule forecasts it
 */
export function patienceMs(expectedMs: number, sloMs: number): number {
  return Math.max(patienceTimes * expectedMs, leastPatience * sloMs);
}

export function probePatienceMs(sloMs: number): number {
  return probePatience * sloMs;
}

/**
 * The last moment at which functions could still save the batch. It leaves time for a cold start if the edge
 * then still gets its patience, else it does not. The batch has the deadline of its first request. Undefined when the edge gets too little time even so.
 *
 * @example A warm function that answers one row in 25 ms; twice that time is reserved to save a batch:
 * giveUp(menu, { rows: 1, deadlineAtMs: 500 }, 0, 250); // { giveUpAtMs: 450 }
 * giveUp(menu, { rows: 1, deadlineAtMs: 200 }, 0, 250); // undefined
 */
export function giveUp(
  menu: FunctionMenu,
  { rows, deadlineAtMs }: Pick<WaitingRequest, "rows" | "deadlineAtMs">,
  nowMs: number,
  patience: number,
): { readonly giveUpAtMs: number } | undefined {
  const startedAtMs = deadlineAtMs - menu.rescueMs(rows, nowMs);
  if (startedAtMs >= nowMs + patience) return { giveUpAtMs: startedAtMs };
  const warmAtMs = deadlineAtMs - menu.rescueMs(rows, undefined);
  return warmAtMs >= nowMs + patience ? { giveUpAtMs: warmAtMs } : undefined;
}
