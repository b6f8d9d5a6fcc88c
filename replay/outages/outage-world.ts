/**
 * A world in which targets fail, hang, slow down and come back: plain data, so that a test can draw it from a seed,
 * shrink it and print it. Times are the true ones; what the profile says of them may be wrong.
 */
import type { TargetKind } from "../../client/targets/target.ts";

/**
 * What is wrong with a target for a while.
 *
 * - `gone`: its process is dead: connections are refused, and what it held is lost.
 * - `unavailable`: it answers 503 at once; what it holds already is served.
 * - `throttled`, `denied`: a function answers 429 or 403 at once.
 * - `hanging`: it takes batches and works on none, as a stopped process does.
 * - `slow`: it works slower by `factor`.
 * - `thin`: uploads to it are slower by `factor`.
 */
export type SpellKind = "gone" | "unavailable" | "throttled" | "denied" | "hanging" | "slow" | "thin";

/** In force in [fromMs, toMs). */
export interface Spell {
  readonly kind: SpellKind;
  readonly fromMs: number;
  readonly toMs: number;
  /** At least 1; read for `slow` and `thin` only. */
  readonly factor: number;
}

export interface OutageTarget {
  readonly name: string;
  readonly kind: TargetKind;
  /** Batches served at once: the replicas of an edge, or the most instances of a function. */
  readonly places: number;
  readonly rttMs: number;
  /** Time that the upload of one row takes. */
  readonly uploadRowMs: number;
  /** Service time of one row, and what each further row adds. */
  readonly firstRowMs: number;
  readonly nextRowMs: number;
  readonly maxBatch: number;
  /** Time that a new instance of a function takes to start; 0 at an edge. */
  readonly coldStartMs: number;
  /** Instances that are warm at the start. */
  readonly warm: number;
  /** The profile's times are the true ones times this. */
  readonly profileFactor: number;
  /** False: the profile's times are a guess, and it says so. */
  readonly isMeasured: boolean;
  /** In order, without overlap. */
  readonly spells: readonly Spell[];
}

export interface OutageArrival {
  readonly atMs: number;
  readonly rows: number;
  readonly sloMs: number;
  readonly key: string;
}

export interface OutageWorld {
  /** The queue's own SLO. */
  readonly sloMs: number;
  /** At least one, edges first. */
  readonly targets: readonly OutageTarget[];
  /** In order of time. */
  readonly arrivals: readonly OutageArrival[];
  /** While the machine of the queue does nothing: what is due then comes at the end. In order, without overlap. */
  readonly stalls: readonly { readonly fromMs: number; readonly toMs: number }[];
}

/** The spell that a target is under; undefined when it is well. */
export function spellAt({ spells }: Pick<OutageTarget, "spells">, atMs: number): Spell | undefined {
  return spells.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
}

/** The true service time of a batch without faults. */
export function trueServiceMs({ firstRowMs, nextRowMs }: OutageTarget, rows: number): number {
  return firstRowMs + (rows - 1) * nextRowMs;
}

/**
 * When work that takes `workMs` without faults ends, if it begins at `startMs`.
 *
 * @example Half of the work is done when the target hangs for 100 ms:
 * const spells = [{ kind: "hanging", fromMs: 10, toMs: 110, factor: 1 }] as const;
 * workEndMs({ spells }, 0, 20); // 120
 */
export function workEndMs({ spells }: Pick<OutageTarget, "spells">, startMs: number, workMs: number): number {
  let atMs = startMs;
  let leftMs = workMs;
  for (const { kind, fromMs, toMs, factor } of spells) {
    if (toMs <= atMs || (kind !== "hanging" && kind !== "slow")) continue;
    if (atMs + leftMs <= fromMs) break;
    leftMs -= Math.max(0, fromMs - atMs);
    atMs = Math.max(atMs, fromMs);
    const speed = kind === "hanging" ? 0 : 1 / factor;
    const doneMs = (toMs - atMs) * speed;
    if (doneMs >= leftMs) return atMs + leftMs / speed;
    leftMs -= doneMs;
    atMs = toMs;
  }
  return atMs + leftMs;
}
