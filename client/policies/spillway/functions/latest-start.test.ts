import { describe, expect, it } from "vitest";
import { lineOf, menuOf, tinySize } from "../../../../test/support/tiny-targets.ts";
import type { FunctionModel } from "./function-model.ts";
import { haste, latestStart } from "./latest-start.ts";

/** One row takes 1 ms to upload, 4 ms there and back, and 20 ms of service. */
const size = menuOf([tinySize()]).sizes[0] as FunctionModel;
const calm = { callAtMs: 0, rowUploadMs: 1, haste: 0 };

function latest(deadlinesAtMs: readonly number[], outlook: Partial<typeof calm> = {}): number {
  const line = lineOf(deadlinesAtMs);
  const call = { size, first: 0, count: 1, rows: 1, leaveAtMs: (deadlinesAtMs[0] as number) - 25 };
  return latestStart(line, { first: 0, count: line.length }, call, { ...calm, ...outlook });
}

describe("the latest start of a call", () => {
  it("is its own last moment while those behind it have time", () => {
    expect([latest([100]), latest([100, 101, 200])]).toEqual([75, 75]);
  });

  it("leaves time for the uploads behind it", () => {
    // The second upload ends 2 ms after the first begins, and the fourth 4 ms after.
    expect([latest([100, 100]), latest([100, 100, 100, 100])]).toEqual([74, 72]);
  });

  it("is the earlier the hastier the policy is, but never before the upload can begin", () => {
    expect([0, 0.5, 1].map((haste) => latest([100], { haste }))).toEqual([75, 37.5, 0]);
    expect(latest([100], { haste: 1, callAtMs: 80 })).toBe(75);
  });
});

it("calls make no haste while little of the allowed losses is spent, and all before all of it is", () => {
  expect([0, 0.4, 0.8, 1, 4].map(haste)).toEqual([0, 0, 1, 1, 1]);
  expect(haste(0.6)).toBeCloseTo(0.5);
});
