import { expect, it } from "vitest";
import { BackOff } from "./back-off.ts";

/** Half of the way: no jitter. */
const even = (): number => 0.5;

it("starts again at once the first time, then after pauses that double, and on trial after the fifth end", () => {
  const backOff = new BackOff(even);
  const restarts = [0, 1, 2, 3, 4, 5].map((second) => backOff.ended(second * 1_000, 10));
  expect(restarts.map(({ pauseMs }) => pauseMs)).toEqual([0, 100, 200, 400, 30_000, 30_000]);
  expect(restarts.map(({ isTrial }) => isTrial)).toEqual([false, false, false, false, true, true]);
});

it("pauses ten seconds at the most for ends that are too rare to be a crash loop", () => {
  const backOff = new BackOff(even);
  const restarts = Array.from({ length: 12 }, (_, index) => backOff.ended(index * 20_000, 50_000));
  expect(restarts.at(-1)).toMatchObject({ pauseMs: 10_000, isTrial: false });
});

it("forgets what was before a replica that lived for a minute", () => {
  const backOff = new BackOff(even);
  for (let end = 0; end < 7; end++) backOff.ended(end, 1);
  expect(backOff.ended(100_000, 60_000)).toEqual({ pauseMs: 0, isTrial: false, isHopeless: false });
});

it("is hopeless after twenty ends in a row, and not before", () => {
  const backOff = new BackOff(even);
  const restarts = Array.from({ length: 21 }, (_, index) => backOff.ended(index * 30_000, 0));
  expect(restarts.map(({ isHopeless }) => isHopeless).indexOf(true)).toBe(19);
  expect(backOff.ended(900_000, 60_000).isHopeless).toBe(false);
});

it("spreads its pauses by a quarter to either side", () => {
  const pauses = [0, 0.999].map((draw) => {
    const backOff = new BackOff(() => draw);
    backOff.ended(0, 1);
    return backOff.ended(1, 1).pauseMs;
  });
  expect(pauses[0]).toBe(75);
  expect(pauses[1]).toBeCloseTo(125, 0);
});
