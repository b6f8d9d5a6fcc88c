/** When to give up a batch on an edge: not before the edge hangs, but while functions can still save it. */
import type { WaitingRequest } from "../policy.ts";
import type { FunctionMenu } from "./function-menu.ts";

/** An edge hangs when a batch takes this many times its expected time, and at least this part of the SLO. */
const patienceTimes = 4;
const leastPatience = 0.25;
/** The part of the SLO within which a failed edge must answer a probe at least. */
const probePatience = 0.05;
/** The patience doubles with each probe that fails, this often at most. */
const mostDoublings = 16;

/**
 * How long a batch may take before its edge counts as hanging.
 *
 * @param expectedMs from now until the batch's answer, as the schedule forecasts it
 */
export function patienceMs(expectedMs: number, sloMs: number): number {
  return Math.max(patienceTimes * expectedMs, leastPatience * sloMs);
}

/**
 * How long a failed edge gets for a probe. An edge that has become slow answers a later probe, which gets more time.
 *
 * @param expectedMs as of `patienceMs`
 * @param failures calls that the edge has failed in a row
 */
export function probePatienceMs(expectedMs: number, sloMs: number, failures: number): number {
  const doublings = 2 ** Math.min(mostDoublings, Math.max(0, failures - 1));
  return Math.max(patienceTimes * expectedMs, probePatience * sloMs) * doublings;
}

/**
 * When to give the batch up at its edge. The last moment at which functions could still save it leaves time for a cold
 * start. If the edge then gets less than its patience, it gets just that: the earlier its batch is given up, the more
 * time is left. The batch has the deadline of its first request. Undefined when the edge gets too little time even so.
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
  return warmAtMs >= nowMs + patience ? { giveUpAtMs: nowMs + patience } : undefined;
}

/** When to give up a request on trial: after its patience, or at the last moment at which functions could save it. */
export function giveUpTrial(
  menu: FunctionMenu,
  { rows, deadlineAtMs }: Pick<WaitingRequest, "rows" | "deadlineAtMs">,
  nowMs: number,
  patience: number,
): { readonly giveUpAtMs: number } | undefined {
  const startedAtMs = deadlineAtMs - menu.rescueMs(rows, nowMs);
  const warmAtMs = deadlineAtMs - menu.rescueMs(rows, undefined);
  const lastMs = startedAtMs > nowMs ? startedAtMs : warmAtMs;
  return lastMs > nowMs ? { giveUpAtMs: Math.min(lastMs, nowMs + patience) } : undefined;
}
