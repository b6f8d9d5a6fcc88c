/** Small worlds of outages made by hand, and what must hold of every world. */
import { expect } from "vitest";
import { edge } from "../../bench/outage-cases.ts";
import { livenessViolations } from "../../replay/outages/liveness.ts";
import { runOutages } from "../../replay/outages/outage-run.ts";
import type {
  OutageArrival,
  OutageTarget,
  OutageWorld,
  Spell,
  SpellKind,
} from "../../replay/outages/outage-world.ts";

/** An edge that serves 1 to 8 rows in 20 to 55 ms, up to 145 rows a second. */
export function edgeOf(change: Partial<OutageTarget> = {}): OutageTarget {
  return { ...edge, ...change };
}

/** A function that serves 1 to 8 rows in 60 to 95 ms, after 300 ms for each new instance. */
export function functionOf(change: Partial<OutageTarget> = {}): OutageTarget {
  const cloud = { name: "small", kind: "serverless", places: 100, rttMs: 10, firstRowMs: 60 } as const;
  return { ...edgeOf(), ...cloud, coldStartMs: 300, ...change };
}

export function spell(kind: SpellKind, fromMs: number, toMs: number, factor = 1): Spell {
  return { kind, fromMs, toMs, factor };
}

/** Requests of one row, one after the other at a steady rate. */
export function evenly(perS: number, seconds: number, change: Partial<OutageArrival> = {}): OutageArrival[] {
  return Array.from({ length: Math.ceil(perS * seconds) }, (_, id) => {
    return { atMs: 100 + (id * 1_000) / perS, rows: 1, sloMs: 1_000, key: "m []", ...change };
  });
}

export function worldOf(
  targets: readonly OutageTarget[],
  arrivals: readonly OutageArrival[],
  change: Partial<OutageWorld> = {},
): OutageWorld {
  return { sloMs: arrivals[0]?.sloMs ?? 1_000, targets, arrivals, stalls: [], ...change };
}

/** Runs a world and fails when a request is lost that a target could have served, or does not end exactly once. */
export function checkWorld(world: OutageWorld): void {
  const run = runOutages(world);
  const ended = run.events.flatMap((event) => (event.kind === "end" ? [event.id] : []));
  expect(ended.toSorted((a, b) => a - b)).toEqual(world.arrivals.map((_, id) => id));
  const found = livenessViolations(world, run);
  const [first] = found;
  const served = run.ends.filter(({ outcome }) => outcome === "served").length;
  if (first !== undefined) {
    throw new Error(
      `${found.length} of ${world.arrivals.length} requests were lost for nothing (${served} served); the first: ` +
        JSON.stringify(first),
    );
  }
}
