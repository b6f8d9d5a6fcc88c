/** Expected values follow `update_batch_size_aimd` of the authors' prototype by hand. */
import { expect, it } from "vitest";
import { driveEdge } from "../../test/support/drive-edge.ts";
import { clipperPolicy, nextBatchRows } from "./clipper.ts";

it.each([
  // rows, latency of an objective of 100 ms, next: below 90 ms 2 more, from 90 ms the same, from 100 ms 10 % less
  [10, 89.9, 12],
  [10, 90, 10],
  [10, 99.9, 10],
  [10, 100, 9],
  [19, 130, 17],
  [5, 100, 4],
  [1, 500, 1],
])("after a batch of %i in %f ms the largest has %i rows", (rows, latencyMs, next) => {
  expect(nextBatchRows(rows, latencyMs, { objectiveMs: 100, stepRows: 2 })).toBe(next);
});

it("climbs by 2 under load, backs off once by 10 %, and stays below the objective", () => {
  const always = Array.from({ length: 200 }, () => 0);
  const edge = { sloMs: 1_000, maxBatchRows: 64, serviceMs: (rows: number) => 10 + 5 * rows };
  const objective = { objectivePart: 0.052, stepRows: 2, delayPart: 0 };
  const { calls } = driveEdge((inputs) => clipperPolicy(inputs, objective), edge, always);
  // 15, 25, 35, 45 ms: more; 9 rows take 55 ms, over 52; 8 take 50, in the last tenth.
  expect(calls.slice(0, 8).map(([, rows]) => rows)).toEqual([1, 3, 5, 7, 9, 8, 8, 8]);
});

it("with delayed batching waits for company from the oldest request's arrival, and not when full", () => {
  const edge = { sloMs: 1_000, maxBatchRows: 64, serviceMs: (rows: number) => 10 + 5 * rows };
  const delayed = { objectivePart: 1, stepRows: 2, delayPart: 0.05 };
  const { calls } = driveEdge(
    (inputs) => clipperPolicy(inputs, delayed),
    edge,
    [0, 20, 30, 100, 110, 120, 130],
  );
  // The first fills the batch of 1; then up to 3 are allowed, and 20 and 30 wait until 70. 100 to 120 leave at
  // once, when 120 is there and the limit is 2 + 2 = 4: the fourth comes at 130.
  expect(calls).toEqual([
    [0, 1],
    [70, 2],
    [130, 4],
  ]);
});

it("drops what has waited until its deadline, and nothing else", () => {
  const edge = { sloMs: 40, maxBatchRows: 1, serviceMs: () => 30 };
  const { calls, refused } = driveEdge(clipperPolicy, edge, [0, 1, 2, 3]);
  expect(calls.map(([atMs]) => atMs)).toEqual([0, 30]);
  expect(refused).toEqual([2, 3]);
});
