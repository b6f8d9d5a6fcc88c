/** When a batch is to be given up on an edge that hangs: while functions can still save it, and not before it hangs. */
import type { FunctionMenu } from "./function-menu.ts";

/** An edge hangs when a batch takes that many times as long as expected, and that part of the SLO at least. */
const patienceTimes = 4;
const leastPatience = 0.25;
/** The part of the SLO that an edge gets that had failed and is only tried again. */
const probePatience = 0.05;

/** @param expectedMs from now until the batch's answer, as the books promise it */
export function patienceMs(expectedMs: number, sloMs: number): number {
  return Math.max(patienceTimes * expectedMs, leastPatience * sloMs);
}

export function probePatienceMs(sloMs: number): number {
  return probePatience * sloMs;
}

/** What a batch for the edge holds, and when its first request has to be answered. */
export interface Rescued {
  readonly rows: number;
  readonly deadlineAtMs: number;
}

/**
 * The last moment at which functions could still save the batch: with time to start an instance where that leaves
 * the edge its patience, else without; undefined where even that does not.
 */
export function giveUp(
  menu: FunctionMenu,
  { rows, deadlineAtMs }: Rescued,
  nowMs: number,
  patience: number,
): { readonly giveUpAtMs: number } | undefined {
  const startedAtMs = deadlineAtMs - menu.rescueMs(rows, nowMs);
  if (startedAtMs >= nowMs + patience) return { giveUpAtMs: startedAtMs };
  const warmAtMs = deadlineAtMs - menu.rescueMs(rows, undefined);
  return warmAtMs >= nowMs + patience ? { giveUpAtMs: warmAtMs } : undefined;
}
