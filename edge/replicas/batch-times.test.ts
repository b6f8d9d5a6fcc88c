import { expect, it } from "vitest";
import { BatchTimes } from "./batch-times.ts";

function timesOf(...runs: (readonly [bytes: number, serviceMs: number])[]): BatchTimes {
  const times = new BatchTimes(10_000, 50);
  for (const run of runs) for (let times5 = 0; times5 < 5; times5++) times.observe(...run);
  return times;
}

it("lets a batch run to the run timeout while nothing was learned", () => {
  const times = new BatchTimes(10_000, 50);
  expect(times.limitMs(1_000)).toBe(10_000);
  times.observe(1_000, 1);
  expect(times.limitMs(1_000)).toBe(10_000);
});

it("lets a batch run ten times what the longest of its size took, within floor and run timeout", () => {
  const times = timesOf([1_000, 20], [1_000, 30], [100_000, 2], [1_000_000, 2_000]);
  expect(times.limitMs(1_000)).toBe(300);
  expect(times.limitMs(100_000)).toBe(50);
  expect(times.limitMs(1_000_000)).toBe(10_000);
});

it("takes the next larger size for one that was not seen, and scales the largest beyond it", () => {
  const times = timesOf([1_024, 20], [4_096, 40]);
  expect(times.limitMs(2_048)).toBe(400);
  expect(times.limitMs(8_192)).toBe(800);
  expect(times.limitMs(16_384)).toBe(1_600);
});
