/** The arrivals of a generated world: a rate that changes over time in one of several ways, and Poisson arrivals at it. */
import type { Random } from "../../base/random.ts";
import { exponential } from "../traces/random-stream.ts";
import { between, octaves, oneOf } from "./draw.ts";

/** How the rate changes. */
export const rateShapes = ["constant", "steps", "spikes", "ramps", "on-off"] as const;

export type RateShape = (typeof rateShapes)[number];

/** The rate, as a part of the mean, lasts until that part of the whole time. */
interface Piece {
  readonly until: number;
  readonly level: number;
}

/** Pieces of a ramp; within one the rate is constant. */
const rampPieces = 12;

export interface ArrivalsOptions {
  readonly shape: RateShape;
  readonly count: number;
  /** How often the rate takes its course, from 1; the arrivals at it differ. */
  readonly rounds: number;
  /** Mean rate over the whole time, per second. */
  readonly ratePerS: number;
  /** Evenly spaced at the present rate instead of Poisson. */
  readonly isRegular: boolean;
}

/** @returns times in seconds from 0, in order, rounded to 1 microsecond; as many as asked for, or a few less */
export function arrivalTimesS(
  random: Random,
  { shape, count, rounds, ratePerS, isRegular }: ArrivalsOptions,
): number[] {
  const pieces = repeated(piecesOf(shape, random), rounds);
  const mean = pieces.reduce((sum, { until, level }, index) => {
    return sum + level * (until - (pieces[index - 1]?.until ?? 0));
  }, 0);
  const spanS = count / ratePerS;
  const times: number[] = [];
  let fromS = 0;
  // What is left of the next gap, in gaps of mean 1.
  let gap = isRegular ? 0.5 : exponential(random);
  for (const { until, level } of pieces) {
    const perS = (level / mean) * ratePerS;
    const untilS = until * spanS;
    let atS = fromS;
    for (; atS + gap / perS < untilS; gap = isRegular ? 1 : exponential(random)) {
      atS += gap / perS;
      if (times.length === count) return times;
      times.push(Math.round(atS * 1e6) / 1e6);
    }
    gap -= (untilS - atS) * perS;
    fromS = untilS;
  }
  return times;
}

function repeated(pieces: readonly Piece[], rounds: number): Piece[] {
  return Array.from({ length: rounds }, (_, round) =>
    pieces.map(({ until, level }) => ({ until: (round + until) / rounds, level })),
  ).flat();
}

function piecesOf(shape: RateShape, random: Random): Piece[] {
  switch (shape) {
    case "constant":
      return [{ until: 1, level: 1 }];
    case "steps":
      return steps(random);
    case "spikes":
      return spikes(random);
    case "ramps":
      return ramps(random);
    case "on-off":
      return onOff(random);
  }
}

function steps(random: Random): Piece[] {
  const count = oneOf(random, [2, 3, 4, 6]);
  return Array.from({ length: count }, (_, index) => ({
    until: (index + 1) / count,
    level: octaves(random, 0.25, 4),
  }));
}

/** Short times of a much higher rate. */
function spikes(random: Random): Piece[] {
  const count = oneOf(random, [1, 2, 4, 8]);
  const height = octaves(random, 2, 32);
  const part = between(random, 0.01, 0.1);
  return Array.from({ length: count }, (_, index) => {
    const start = (index + between(random, 0.2, 0.9 - part)) / count;
    return [
      { until: start, level: 1 },
      { until: start + part / count, level: height },
      { until: (index + 1) / count, level: 1 },
    ];
  }).flat();
}

/** Up and down, or up alone. */
function ramps(random: Random): Piece[] {
  const top = octaves(random, 2, 16);
  const peakAt = oneOf(random, [0.3, 0.5, 0.8, 1]);
  return Array.from({ length: rampPieces }, (_, index) => {
    const at = (index + 0.5) / rampPieces;
    const height = at < peakAt ? at / peakAt : (1 - at) / (1 - peakAt);
    return { until: (index + 1) / rampPieces, level: 1 + (top - 1) * height };
  });
}

function onOff(random: Random): Piece[] {
  const cycles = oneOf(random, [2, 4, 8, 16]);
  const onPart = between(random, 0.1, 0.7);
  const off = oneOf(random, [0.02, 0.1, 0.3]);
  return Array.from({ length: cycles }, (_, index) => [
    { until: (index + onPart) / cycles, level: 1 },
    { until: (index + 1) / cycles, level: off },
  ]).flat();
}
