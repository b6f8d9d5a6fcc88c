import { expect, it } from "vitest";
import { SloShare } from "./slo-share.ts";

function after(arrived: number, lost: number, sloQuantile = 0.99): SloShare {
  const share = new SloShare(sloQuantile);
  share.lost(lost);
  for (let nth = 0; nth < arrived; nth++) share.arrived();
  return share;
}

it("is not careful while at most half of the allowance is spent, and wholly once all of it is", () => {
  // Recent losses count a little less with each request, and here the whole time is what counts.
  expect([0, 25, 50, 51, 75, 100, 400].map((lost) => after(10_000, lost).careful)).toEqual([
    0,
    0,
    0,
    expect.closeTo(0.02, 9),
    expect.closeTo(0.5, 9),
    expect.closeTo(1, 9),
    1,
  ]);
});

it("is careful for a while after losses that come together, however long all went well", () => {
  const share = after(1_000_000, 0);
  share.lost(10);
  expect(share.careful).toBeCloseTo(1, 9);
  for (let nth = 0; nth < 500; nth++) share.arrived();
  expect(share.careful).toBeCloseTo(0.21, 1);
  for (let nth = 0; nth < 300; nth++) share.arrived();
  expect(share.careful).toBe(0);
});

it("is not alarmed by the first losses of a few requests, and follows the quantile", () => {
  expect(after(3, 0).careful).toBe(0);
  expect([after(200, 2).careful, after(200, 2, 0.95).careful]).toEqual([expect.closeTo(1, 9), 0]);
});
