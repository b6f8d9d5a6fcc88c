import { expect, it } from "vitest";
import { type Random, seededRandom } from "../../base/random.ts";
import { DriftDetector, targetDrift } from "./change-detectors.ts";
import type { Alarm } from "./shift-detector.ts";

/** Log-normal around a median (Box and Muller 1958). */
function latencyMs(random: Random, medianMs: number, spread: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return medianMs * Math.exp(spread * normal);
}

function alarmsOf(detector: DriftDetector, values: readonly number[]): Alarm[] {
  return values.map((value) => detector.observe(value)).filter((alarm) => alarm !== undefined);
}

it("finds that a latency has risen by a fifth, and by how much", () => {
  const random = seededRandom(3);
  const values = Array.from({ length: 2_400 }, (_, index) => latencyMs(random, index < 2_000 ? 50 : 60, 0.1));
  const detector = new DriftDetector();
  const alarms = alarmsOf(detector, values);
  expect(alarms).toHaveLength(1);
  expect(alarms[0]?.atIndex).toBeLessThan(2_010);
  expect(Math.abs((alarms[0]?.startIndex ?? 0) - 2_000)).toBeLessThan(3);
  const { mean = 0, standardError = 0 } = detector.level ?? {};
  expect(Math.abs(mean - Math.log(60))).toBeLessThan(4 * standardError);
});

it("finds a change after thousands of values that hardly differed", () => {
  const random = seededRandom(5);
  const values = Array.from({ length: 3_100 }, (_, index) =>
    latencyMs(random, index < 3_000 ? 50 : 65, 0.02),
  );
  const alarms = alarmsOf(new DriftDetector(targetDrift), values);
  expect(alarms.map(({ startIndex }) => startIndex)).toEqual([3_000]);
  expect(alarms[0]?.atIndex).toBeLessThan(3_020);
});

it("stays quiet over lone outliers", () => {
  const random = seededRandom(4);
  const values = Array.from({ length: 10_000 }, (_, index) =>
    latencyMs(random, index % 500 === 499 ? 2_000 : 50, 0.2),
  );
  expect(alarmsOf(new DriftDetector(), values)).toEqual([]);
});

it("refuses a latency that is not above 0", () => {
  expect(() => new DriftDetector().observe(0)).toThrow(/value is 0/);
  expect(() => new DriftDetector().observe(Infinity)).toThrow(RangeError);
});
