import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Random, seededRandom } from "../../base/random.ts";
import { RateDetector } from "./change-detectors.ts";
import type { Alarm } from "./shift-detector.ts";

/** A Poisson count, or with a dispersion above 1 a sum of geometric clusters: variance = dispersion x mean. */
function countOf(random: Random, mean: number, dispersion = 1): number {
  const clusterMean = (1 + dispersion) / 2;
  let clusters = 0;
  for (let left = mean / clusterMean; ; clusters++) {
    left += Math.log(1 - random());
    if (left < 0) break;
  }
  if (dispersion === 1) return clusters;
  let count = 0;
  for (; clusters > 0; clusters--)
    count += 1 + Math.floor(Math.log(1 - random()) / Math.log(1 - 1 / clusterMean));
  return count;
}

function countsOf(seed: number, seconds: number, rate: (t: number) => number, dispersion = 1): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: seconds }, (_, t) => countOf(random, rate(t), dispersion));
}

function alarmsOf(counts: readonly number[], detector = new RateDetector()): Alarm[] {
  return counts.map((count) => detector.observe(count)).filter((alarm) => alarm !== undefined);
}

it("is quiet while the rate stands, whatever rate and dispersion", { tags: ["slow"] }, () => {
  for (const rate of [0.1, 5, 100])
    for (const dispersion of [1, 3])
      expect(alarmsOf(countsOf(5, 7_200, () => rate, dispersion)), `${rate}/${dispersion}`).toEqual([]);
});

it("finds steps within the seconds that their size and the noise allow", () => {
  const cases = [
    { rate: 20, factor: 2, dispersion: 1, mostS: 4 },
    { rate: 20, factor: 1.5, dispersion: 3, mostS: 30 },
    { rate: 20, factor: 0.5, dispersion: 3, mostS: 20 },
    { rate: 100, factor: 1.25, dispersion: 1, mostS: 10 },
    { rate: 100, factor: 0.5, dispersion: 3, mostS: 5 },
  ];
  for (const { rate, factor, dispersion, mostS } of cases) {
    const counts = countsOf(6, 1_600, (t) => (t < 1_500 ? rate : rate * factor), dispersion);
    const [alarm] = alarmsOf(counts);
    expect(alarm?.startIndex, `${rate} x${factor}`).toBeGreaterThan(1_490);
    expect(alarm?.atIndex, `${rate} x${factor}`).toBeLessThan(1_500 + mostS);
    expect(alarm?.probability).toBeGreaterThanOrEqual(0.95);
  }
});

it("does not take lone spikes of five times the rate for changes", { tags: ["slow"] }, () => {
  for (const rate of [20, 100])
    for (const dispersion of [1, 3]) {
      const counts = countsOf(7, 7_200, (t) => (t % 300 === 299 ? 5 * rate : rate), dispersion);
      expect(alarmsOf(counts), `${rate}/${dispersion}`).toEqual([]);
    }
});

it("does not take a lone second without requests, and the flood after it, for a change", () => {
  const counts = countsOf(8, 7_200, (t) => (t % 600 === 500 ? 0 : t % 600 === 501 ? 200 : 100));
  expect(alarmsOf(counts)).toEqual([]);
});

it("follows an hour's ramp to twice the rate with a few alarms, not a cascade", { tags: ["slow"] }, () => {
  for (const rate of [20, 100, 1_000]) {
    const counts = countsOf(9, 6_000, (t) => rate * (1 + Math.min(1, Math.max(0, (t - 1_200) / 3_600))));
    const detector = new RateDetector();
    const alarms = alarmsOf(counts, detector);
    expect(alarms.length, `${rate}`).toBeGreaterThan(2);
    expect(alarms.length, `${rate}`).toBeLessThan(28);
    expect((detector.level?.mean ?? 0) / rate).toBeGreaterThan(rate === 1_000 ? 1.95 : 1.9);
  }
});

it("tells a level from one that is 2.3 % higher where the rate is large, but not from one that is 1.5 % higher", () => {
  const stepTo = (count: number): number[] =>
    Array.from({ length: 1_200 }, (_, t) => (t < 600 ? 3_000 : count));
  expect(alarmsOf(stepTo(3_069))).toHaveLength(1);
  expect(alarmsOf(stepTo(3_045))).toEqual([]);
});

it("notices within seconds that an idle service has work, but not a single request", () => {
  const idle = Array.from({ length: 3_600 }, () => 0);
  expect(alarmsOf([...idle, 1, ...idle])).toEqual([]);
  const [alarm] = alarmsOf([...idle, ...countsOf(10, 20, () => 5)]);
  expect(alarm?.startIndex).toBeGreaterThanOrEqual(3_600);
  expect(alarm?.atIndex).toBeLessThan(3_605);
});

it("knows the rate since the last change, with its error", () => {
  const detector = new RateDetector();
  expect(detector.level).toBeUndefined();
  const [alarm] = alarmsOf(
    countsOf(11, 1_500, (t) => (t < 1_000 ? 50 : 80)),
    detector,
  );
  const { mean = 0, standardError = 0, startIndex } = detector.level ?? {};
  expect(startIndex).toBe(alarm?.startIndex);
  expect(Math.abs(mean - 80)).toBeLessThan(4 * standardError);
  expect(standardError).toBeCloseTo(Math.sqrt(80 / 500), 1);
});

describe("when the rate is back where it was", () => {
  const standing = (bins: number): number[] => Array.from({ length: bins }, (_, nth) => 20 + 3 * (-1) ** nth);

  it("withdraws in silence an alarm that may have been chance", () => {
    const detector = new RateDetector();
    const alarms = alarmsOf([...standing(600), 34, 36, 33, ...standing(600)], detector);
    expect(alarms.map(({ startIndex }) => startIndex)).toEqual([600]);
    expect(detector.level?.startIndex).toBe(0);
    expect(detector.level?.mean).toBeCloseTo(20, 0);
  });

  it("raises a second alarm when the excursion was none, or lasted", () => {
    for (const excursion of [[70, 80, 75, 80, 70, 75], countsOf(13, 300, () => 28)]) {
      const detector = new RateDetector();
      const alarms = alarmsOf([...standing(600), ...excursion, ...standing(600)], detector);
      expect(alarms).toHaveLength(2);
      expect(detector.level?.startIndex).toBe(alarms[1]?.startIndex);
    }
  });
});

it("raises for a prefix the alarms that it raises for the whole up to there", () => {
  const rates = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 60 })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(rates, fc.nat({ max: 1_000 }), fc.nat({ max: 240 }), (pieces, seed, cut) => {
      const random = seededRandom(seed);
      const counts = pieces.flatMap(([seconds, rate]) =>
        Array.from({ length: seconds }, () => countOf(random, rate)),
      );
      const whole = alarmsOf(counts);
      expect(alarmsOf(counts.slice(0, cut))).toEqual(whole.filter(({ atIndex }) => atIndex < cut));
      for (const { atIndex, startIndex } of whole) {
        expect(startIndex).toBeLessThanOrEqual(atIndex);
        expect(startIndex).toBeGreaterThan(0);
      }
    }),
  );
});

it("holds no more memory after two days than after an hour", { tags: ["slow"] }, () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heldBytes = (): number => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const detector = new RateDetector();
  const random = seededRandom(12);
  const watch = (seconds: number): void => {
    for (let t = 0; t < seconds; t++) detector.observe(countOf(random, t % 2_000 < 1_000 ? 4 : 8));
  };
  watch(3_600);
  const before = heldBytes();
  watch(2 * 86_400);
  expect(heldBytes() - before).toBeLessThan(2 ** 20);
});

it("refuses a count below 0 and options outside their ranges, naming them", () => {
  expect(() => new RateDetector().observe(-1)).toThrow(/count is -1/);
  expect(() => new RateDetector().observe(Number.NaN)).toThrow(RangeError);
  expect(() => new RateDetector().observe(Infinity)).toThrow(RangeError);
  expect(() => new RateDetector({ hazard: 1 })).toThrow(/hazard is 1;/);
  expect(() => new RateDetector({ threshold: 1 })).toThrow(/threshold is 1;/);
  expect(() => new RateDetector({ window: 0 })).toThrow(/window is 0;/);
  expect(() => new RateDetector({ longestChance: -1 })).toThrow(/longestChance is -1;/);
});
