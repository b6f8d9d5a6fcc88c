/** When to give up a batch on an edge: not before the edge hangs, but while functions or another edge can still save it. */
import type { WaitingRequest } from "../policy.ts";
import type { FunctionMenu } from "./functions/function-menu.ts";

/** An edge hangs when a batch takes this many times its expected time, and at least this part of the SLO. */
const patienceTimes = 4;
const leastPatience = 0.25;
/** The part of the SLO within which a failed edge must answer a probe at least. */
const probePatience = 0.05;
/**
 * The part of the time until the last moment that a probe gets, or this many times the expected time if that is more. The
 * edge may have become slow, so every fourth probe in a row that fails gets all of it.
 */
const usualPart = 0.5;
const leastTimes = 1.5;
const fullEvery = 4;
/** A probe that gets less time than is usual, and less than this part of the SLO, would tell nothing. */
const leastProbe = 0.1;
/** The time that is kept to be served elsewhere, in times of what it takes. */
const callReserve = 1.25;
/** The same for a batch, with which many others need saving at once. */
const batchReserve = 2;

/** Where a request can go when an edge fails it. */
export interface Elsewhere {
  readonly menu: FunctionMenu;
  /** Time until another healthy edge answers a request with so many rows that is sent now; Infinity: there is none. */
  readonly edgeMs: (rows: number) => number;
}

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
 * const elsewhere = { menu, edgeMs: () => Infinity };
 * giveUp(elsewhere, { rows: 1, deadlineAtMs: 500 }, 0, 250); // { giveUpAtMs: 450 }
 * giveUp(elsewhere, { rows: 1, deadlineAtMs: 200 }, 0, 250); // undefined
 */
export function giveUp(
  { menu, edgeMs }: Elsewhere,
  { rows, deadlineAtMs }: Pick<WaitingRequest, "rows" | "deadlineAtMs">,
  nowMs: number,
  patience: number,
): { readonly giveUpAtMs: number } | undefined {
  const byEdgeMs = batchReserve * edgeMs(rows);
  const startedAtMs = deadlineAtMs - Math.min(byEdgeMs, menu.rescueMs(rows, nowMs));
  if (startedAtMs >= nowMs + patience) return { giveUpAtMs: startedAtMs };
  const warmAtMs = deadlineAtMs - Math.min(byEdgeMs, menu.rescueMs(rows, undefined));
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
 * When to give up a request that probes an edge: well before the last moment at which it could be served elsewhere. Infinity
 * when it cannot be anyway. Undefined when it can be now and a probe would leave it no time: it is not made then.
 */
export function giveUpProbe(
  { menu, edgeMs }: Elsewhere,
  { rows, deadlineAtMs, attempts }: Pick<WaitingRequest, "rows" | "deadlineAtMs" | "attempts">,
  nowMs: number,
  { expectedMs, sloMs, failures }: Probe,
): number | undefined {
  const leftMs = deadlineAtMs - nowMs;
  const byEdgeMs = edgeMs(rows);
  const canCall = menu.canServe(rows, leftMs, nowMs);
  if (!canCall && byEdgeMs > leftMs) return Infinity;
  if (attempts > 0) return undefined;
  const startedMs = leftMs - menu.rescueMs(rows, nowMs, { times: callReserve });
  const spareByCallMs = startedMs > 0 ? startedMs : leftMs - callReserve * menu.shortestMs(rows);
  const spareMs = Math.max(leftMs - callReserve * byEdgeMs, canCall ? spareByCallMs : -Infinity);
  const patience = Math.max(patienceTimes * expectedMs, probePatience * sloMs);
  const usualMs = Math.min(patience, Math.max(usualPart * spareMs, leastTimes * expectedMs));
  const probeMs = Math.min(spareMs, failures % fullEvery === fullEvery - 1 ? Infinity : usualMs);
  return probeMs >= Math.min(expectedMs, leastProbe * sloMs) ? nowMs + probeMs : undefined;
}
