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
/** The part of the time until the last moment that a probe takes at most; every fourth one may take all of it. */
const mostPart = 0.5;
const fullEvery = 4;
/** A probe that gets less time than is usual, and less than this part of the SLO, would tell nothing. */
const leastProbe = 0.2;
/** The time that is kept for the call of a warm function, in times of its usual time. */
const callReserve = 1.25;

/**
 * How long a batch may take before its edge counts as hanging.
 *
 * @param expectedMs from now until the batch's answer, as the schedule forecasts it
 */
export function patienceMs(expectedMs: number, sloMs: number): number {
  return Math.max(patienceTimes * expectedMs, leastPatience * sloMs);
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

/** An edge that gets a request although it failed, or seems to be too slow. */
export interface Probe {
  /** From sending to answer at the idle edge, as far as is known. */
  readonly expectedMs: number;
  readonly sloMs: number;
  /** Calls that the edge has failed in a row. */
  readonly failures: number;
}

/**
 * When to give up a request that probes an edge: after a patience that doubles with each probe that fails, because the edge
 * may have become slow, and well before the last moment at which functions could save it. Infinity when no function can
 * serve it anyway. Undefined when functions can serve it now and a probe would leave them no time: it is not made then.
 */
export function giveUpProbe(
  menu: FunctionMenu,
  { rows, deadlineAtMs, attempts }: Pick<WaitingRequest, "rows" | "deadlineAtMs" | "attempts">,
  nowMs: number,
  { expectedMs, sloMs, failures }: Probe,
): number | undefined {
  const leftMs = deadlineAtMs - nowMs;
  if (!menu.canServe(rows, leftMs)) return Infinity;
  if (attempts > 0) return undefined;
  const startedMs = leftMs - menu.rescueMs(rows, nowMs);
  const spareMs = startedMs > 0 ? startedMs : leftMs - callReserve * menu.shortestMs(rows);
  const doublings = 2 ** Math.min(mostDoublings, Math.max(0, failures - 1));
  const patience = Math.max(patienceTimes * expectedMs, probePatience * sloMs) * doublings;
  const part = failures % fullEvery === fullEvery - 1 ? 1 : mostPart;
  const probeMs = Math.min(patience, part * spareMs);
  return probeMs >= Math.min(expectedMs, leastProbe * sloMs) ? nowMs + probeMs : undefined;
}
