import { expect, it } from "vitest";
import { type Random, seededRandom } from "../../base/random.ts";
import { batchSizeTails, type RequestClass } from "./batch-size-law.ts";

/** Latency by rows: 30 ms and 20 ms a row, so that spans differ much with the size. */
const latencyMs = Float64Array.from({ length: 33 }, (_, rows) => 30 + 20 * rows);

interface Member {
  readonly atMs: number;
  readonly sloMs: number;
}

/** Mean batch size and the tails, by doing it: each arrival joins if all members can still afford its company. */
function simulate(
  classes: readonly RequestClass[],
  arrivals: number,
  random: Random,
): { readonly meanRows: number; readonly tails: number[] } {
  const rate = classes.reduce((sum, { arrivalsPerMs }) => sum + arrivalsPerMs, 0);
  const shortestSloMs = Math.min(...classes.map(({ sloMs }) => sloMs));
  const counts: number[] = [];
  let batch: Member[] = [];
  let atMs = 0;
  for (let i = 0; i < arrivals; i++) {
    atMs -= Math.log(1 - random()) / rate;
    let pick = random() * rate;
    const own = classes.find(({ arrivalsPerMs }) => (pick -= arrivalsPerMs) < 0) ?? classes[0];
    const asLarge = latencyMs[batch.length + 1] ?? Infinity;
    const joins = asLarge <= shortestSloMs && batch.every((each) => atMs + asLarge <= each.atMs + each.sloMs);
    if (!joins && batch.length > 0) {
      counts[batch.length] = (counts[batch.length] ?? 0) + 1;
      batch = [];
    }
    batch.push({ atMs, sloMs: own?.sloMs ?? Infinity });
  }
  let batches = 0;
  let rows = 0;
  counts.forEach((count, size) => {
    batches += count;
    rows += count * size;
  });
  const tails = latencyMs.map((_, size) => counts.slice(size).reduce((sum, count) => sum + (count ?? 0), 0));
  return { meanRows: rows / batches, tails: [...tails].map((count) => count / batches) };
}

function meanRows(tails: Float64Array): number {
  return tails.subarray(1).reduce((sum, tail) => sum + tail, 0);
}

for (const { name, classes } of [
  { name: "one class", classes: [{ arrivalsPerMs: 0.02, sloMs: 500 }] },
  {
    name: "three classes of different SLO",
    classes: [
      { arrivalsPerMs: 0.004, sloMs: 900 },
      { arrivalsPerMs: 0.003, sloMs: 250 },
      { arrivalsPerMs: 0.02, sloMs: 450 },
    ],
  },
]) {
  it(`agrees to three digits with a simulation of a million arrivals of ${name}`, { tags: ["slow"] }, () => {
    const tails = batchSizeTails(classes, latencyMs);
    const simulated = simulate(classes, 1_000_000, seededRandom(7));
    expect(Math.abs(meanRows(tails) / simulated.meanRows - 1)).toBeLessThan(0.002);
    // A chance counted over some 200,000 batches has a standard deviation of at most 0.0011.
    tails.forEach((tail, size) => {
      if (size > 0) expect(Math.abs(tail - (simulated.tails[size] as number))).toBeLessThan(0.005);
    });
  });
}

it("is the Poisson tail for one class", () => {
  const tails = batchSizeTails([{ arrivalsPerMs: 0.01, sloMs: 300 }], latencyMs);
  // Two followers by 300 - 90 = 210 ms at 10/s: P(Poisson(2.1) >= 2).
  expect(tails[3]).toBeCloseTo(1 - Math.exp(-2.1) * (1 + 2.1), 12);
});

it("is the same whether equal classes are told apart or not", () => {
  const whole = batchSizeTails([{ arrivalsPerMs: 0.03, sloMs: 400 }], latencyMs);
  const apart = batchSizeTails(
    [
      { arrivalsPerMs: 0.01, sloMs: 400 },
      { arrivalsPerMs: 0.02, sloMs: 400 },
    ],
    latencyMs,
  );
  whole.forEach((tail, i) => expect(apart[i]).toBeCloseTo(tail, 12));
});

it("has no batch when not even one request is in time, and batches of one when nothing comes", () => {
  expect(batchSizeTails([{ arrivalsPerMs: 1, sloMs: 40 }], latencyMs)).toHaveLength(1);
  expect([...batchSizeTails([{ arrivalsPerMs: 0, sloMs: 100 }], latencyMs)]).toEqual([1, 1, 0, 0]);
});

it("keeps its digits for long waits and large batches", () => {
  const flat = new Float64Array(2_001).fill(10);
  const tails = batchSizeTails([{ arrivalsPerMs: 1, sloMs: 1_010 }], flat);
  expect(tails[901]).toBeGreaterThan(0.999);
  // About half of all Poisson(1000) counts reach 1000: 0.5 + (2/3 - 0.25...) / sqrt(2 pi 1000).
  expect(tails[1_001]).toBeCloseTo(0.5 + 1 / (3 * Math.sqrt(2 * Math.PI * 1_000)), 3);
  expect(tails[1_201]).toBeLessThan(1e-8);
});
