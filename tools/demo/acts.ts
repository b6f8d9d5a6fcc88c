/** The demo's acts: how long each lasts, and how its load compares with what the edge can take. */
import { type ProfiledTarget, timesOf } from "../../client/policies/profile.ts";
import { placeRate } from "../../replay/traces/place-arrivals.ts";
import { randomStream } from "../../replay/traces/random-stream.ts";

export interface Act {
  readonly name: string;
  /** Requests as a multiple of what the edge can take. */
  readonly load: number;
  /** In seconds from the first act's start. */
  readonly fromS: number;
  readonly toS: number;
}

/** In order; `part` is of the whole time. */
const script = [
  { name: "calm", load: 0.3, part: 0.2 },
  { name: "busy", load: 0.8, part: 0.25 },
  { name: "burst", load: 3, part: 0.15 },
  { name: "outage", load: 0.5, part: 0.4 },
];

/** When the edge is killed and started again, as parts of the last act. */
const killedAtPart = 0.1;
const restartedAtPart = 0.25;

/** @param seconds of all acts together */
export function actsOf(seconds: number): readonly Act[] {
  let fromS = 0;
  return script.map(({ name, load, part }) => {
    const toS = fromS + part * seconds;
    const act = { name, load, fromS, toS };
    fromS = toS;
    return act;
  });
}

/** When the edge is killed and started again, in seconds from the first act's start. */
export function outageOf(acts: readonly Act[]): {
  readonly killedAtS: number;
  readonly restartedAtS: number;
} {
  const { fromS, toS } = acts.at(-1) as Act;
  return {
    killedAtS: fromS + killedAtPart * (toS - fromS),
    restartedAtS: fromS + restartedAtPart * (toS - fromS),
  };
}

/**
 * Requests a second that all edges can take, each in the best of the batch sizes that were measured. Only sizes that take half
 * the SLO at most count, because a request may arrive when a batch has just begun. At [1: 120 ms, 8: 400 ms] and an SLO of
 * 1 s it is 20.
 *
 * @throws RangeError when there is no edge among the targets
 */
export function edgeCapacityPerS(targets: readonly ProfiledTarget[], model: string, sloMs: number): number {
  const edges = targets.filter(({ kind }) => kind === "edge");
  if (edges.length === 0) throw new RangeError("targets hold no edge");
  return edges.reduce((sum, edge) => sum + capacityPerS(edge, model, sloMs), 0);
}

function capacityPerS(edge: ProfiledTarget, model: string, sloMs: number): number {
  const rates = Object.entries(timesOf(edge, model).serviceMs).map(([rows, samples]) => {
    const meanMs = samples.reduce((sum, ms) => sum + ms, 0) / samples.length;
    return { perS: (edge.replicas * Number(rows) * 1_000) / meanMs, isInTime: meanMs <= sloMs / 2 };
  });
  const inTime = rates.filter(({ isInTime }) => isInTime);
  return Math.max(...(inTime.length > 0 ? inTime : rates).map(({ perS }) => perS));
}

/** When each request is due, in seconds from the first act's start: one at once, then a Poisson process in each act. */
export function arrivalsOf(acts: readonly Act[], capacityPerS: number, seed: number): number[] {
  const random = randomStream(seed, "arrivals");
  const later = acts.flatMap(({ load, fromS, toS }) =>
    [...placeRate({ fromS, toS, value: load * capacityPerS }, random)].flat(),
  );
  return [0, ...later.map(({ atS }) => atS)];
}

/** `act 2 of 4, busy: 16.0 requests/s, 0.8 of what the edge can take`. */
export function actHeading(acts: readonly Act[], index: number, capacityPerS: number, edges = 1): string {
  const { name, load } = acts[index] as Act;
  const ratio = load < 1 ? `${load} of` : `${load} times`;
  const rate = (load * capacityPerS).toFixed(1);
  return `act ${index + 1} of ${acts.length}, ${name}: ${rate} requests/s, ${ratio} what the edge${edges === 1 ? "" : "s"} can take`;
}
