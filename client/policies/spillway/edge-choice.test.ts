import { describe, expect, it } from "vitest";
import { choiceOf, crowd, lineOf, scheduleOf, tinyEdge } from "../../../test/support/tiny-targets.ts";
import type { LineView } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";

describe("the edge's choice", () => {
  const choose = (
    profile: TargetProfile,
    line: LineView,
    canSkip?: (first: number, count: number) => boolean,
  ) => {
    const schedule = scheduleOf(profile);
    schedule.start(0);
    return choiceOf(profile).choose(line, schedule, 0, 0, canSkip);
  };
  const gaining = tinyEdge({ meanMs: (rows) => 20 + rows });
  const losing = tinyEdge({ meanMs: (rows) => 10 * rows + rows ** 2, rowUploadMs: 0.01 });

  it("is the oldest and as many as are in time, where batching gains", () => {
    // Six rows take 6 + 4 + 35 ms, seven 51.
    expect(choose(tinyEdge(), crowd(20, 50))).toEqual({ first: 0, count: 6, rows: 6 });
    expect(choose(tinyEdge(), crowd(20, 1_000))).toMatchObject({ first: 0, count: 8 });
    expect(choose(tinyEdge(), lineOf([15, 900, 900, 900]))).toMatchObject({ first: 0, count: 1 });
  });

  it("leaves out the oldest that could not be served in time even alone", () => {
    expect(choose(tinyEdge(), lineOf([3, 14.9, 40, 50]))).toEqual({ first: 2, count: 2, rows: 2 });
    expect(choose(tinyEdge(), lineOf([3, 14.9]))).toMatchObject({ count: 0 });
  });

  it("is small where batching gains nothing and large where it does, whether time is scarce or not", () => {
    expect(choiceOf(losing).bestRows).toBe(1);
    expect(choiceOf(gaining).bestRows).toBe(8);
    for (const canSkip of [undefined, () => true]) {
      expect(choose(losing, crowd(20, 1_000), canSkip)).toMatchObject({ first: 0, count: 1 });
      expect(choose(gaining, crowd(20, 1_000), canSkip)).toMatchObject({ first: 0, count: 8 });
    }
  });

  it("keeps off sizes whose last rows make them slower", () => {
    // Up to four rows at a time take 20 ms, more take another 20.
    const stairs = tinyEdge({ meanMs: (rows) => 20 * Math.ceil(rows / 4) });
    expect(choiceOf(stairs).bestRows).toBe(4);
    for (const canSkip of [undefined, () => true]) {
      const chosen = [3, 4, 5, 6, 7, 8].map((count) => choose(stairs, crowd(count, 1_000), canSkip).count);
      expect(chosen).toEqual([3, 4, 4, 4, 4, 8]);
    }
  });

  it("passes over an oldest request that cuts the batch short only when functions can still serve it", () => {
    // The first leaves time for one row, as one row takes 1 + 4 + 21 ms.
    const line = lineOf([26, ...Array.from({ length: 10 }, () => 1_000)]);
    expect(choose(gaining, line, () => true)).toEqual({ first: 1, count: 8, rows: 8 });
    expect(choose(gaining, line, () => false)).toEqual({ first: 0, count: 1, rows: 1 });
    expect(choose(gaining, line)).toEqual({ first: 0, count: 1, rows: 1 });
  });

  it("passes over no more requests than functions can serve", () => {
    const line = lineOf([26, 26, 26, ...Array.from({ length: 10 }, () => 1_000)]);
    expect(choose(gaining, line, (_, count) => count <= 3)).toMatchObject({ first: 3, count: 8 });
    expect(choose(gaining, line, (_, count) => count <= 2)).toMatchObject({ first: 0, count: 1 });
  });

  it("passes over nobody when too few stand behind to make up for it", () => {
    expect(choose(gaining, lineOf([26, 1_000]), () => true)).toMatchObject({ first: 0, count: 1 });
    expect(choose(gaining, lineOf([26, 1_000, 1_000]), () => true)).toMatchObject({ first: 1, count: 2 });
  });

  it("knows the capacity of replicas and uplink together", () => {
    expect(choiceOf(gaining).capacityPerMs).toBeCloseTo(8 / 28, 9);
    expect(choiceOf(tinyEdge({ replicas: 3, rowUploadMs: 0.1 })).capacityPerMs).toBeCloseTo(24 / 45, 9);
    expect(choiceOf(tinyEdge({ replicas: 30, rowUploadMs: 4 })).capacityPerMs).toBeCloseTo(0.25, 9);
  });
});
