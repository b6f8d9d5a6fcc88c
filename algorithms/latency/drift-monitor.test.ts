import { expect, it } from "vitest";
import { type Random, seededRandom } from "../random.ts";
import { type Drift, DriftMonitor } from "./drift-monitor.ts";

const predictedMs = 50;

/** Log-normal times around the prediction times `factor`. */
function times(random: Random, spread: number): (factor: number) => number {
  return (factor) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return predictedMs * factor * Math.exp(spread * normal);
  };
}

function usedMonitor(draw: (factor: number) => number): DriftMonitor {
  const monitor = new DriftMonitor();
  for (let i = 0; i < 400; i++) monitor.observe(draw(1), predictedMs);
  return monitor;
}

function untilNoticed(
  monitor: DriftMonitor,
  next: () => number,
): { readonly after: number; readonly drift: Drift } {
  for (let after = 1; after <= 1_000; after++) {
    const drift = monitor.observe(next(), predictedMs);
    if (drift !== undefined) return { after, drift };
  }
  throw new Error("not noticed within 1,000 observations");
}

it("raises at most one false alarm in 100,000 observations", () => {
  let alarms = 0;
  for (const spread of [0.03, 0.1, 0.3]) {
    const draw = times(seededRandom(5), spread);
    const monitor = new DriftMonitor();
    for (let i = 0; i < 200_000; i++) if (monitor.observe(draw(1), predictedMs) !== undefined) alarms++;
  }
  expect(alarms).toBeLessThanOrEqual(6);
});

for (const [factor, within] of [
  [2, 4],
  [0.5, 4],
  [1.2, 25],
] as const) {
  it(`notices times multiplied by ${factor} within ${within} observations, and by how much`, () => {
    for (let seed = 1; seed <= 200; seed++) {
      const draw = times(seededRandom(seed), 0.1);
      const { after, drift } = untilNoticed(usedMonitor(draw), () => draw(factor));
      expect(after).toBeLessThanOrEqual(within);
      expect(Math.abs(Math.log(drift.factor / factor))).toBeLessThan(0.25);
    }
  });
}

it("is not moved by a lone outlier", () => {
  const draw = times(seededRandom(9), 0.1);
  const monitor = usedMonitor(draw);
  for (let i = 0; i < 1_000; i++) {
    expect(monitor.observe(i % 50 === 0 ? 100 * predictedMs : draw(1), predictedMs)).toBeUndefined();
  }
});

it("begins anew after an alarm, so that a rescaled model is quiet", () => {
  const draw = times(seededRandom(2), 0.1);
  const monitor = usedMonitor(draw);
  const { drift } = untilNoticed(monitor, () => draw(2));
  for (let i = 0; i < 500; i++) expect(monitor.observe(draw(2), predictedMs * drift.factor)).toBeUndefined();
});

it("refuses a time that is not above 0", () => {
  expect(() => new DriftMonitor().observe(0, 1)).toThrow(/observedMs is 0/);
});
