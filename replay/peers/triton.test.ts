/** Expected values follow `GetDynamicBatch` of `dynamic_batch_scheduler.cc` by hand. */
import { describe, expect, it } from "vitest";
import { driveEdge, lineOf } from "../../test/support/drive-edge.ts";
import { dynamicBatch, tritonPolicy } from "./triton.ts";

function line(arrivalsMs: readonly number[], rows = 1) {
  return lineOf(
    arrivalsMs.map((atMs) => ({ rows, bytes: 0, arrivedAtMs: atMs, deadlineAtMs: atMs + 100, attempts: 0 })),
  );
}
const many = (count: number): number[] => Array.from({ length: count }, () => 0);

describe("with preferred sizes 4 and 8, at most 16 rows and a queue delay of 10 ms", () => {
  const batching = { preferredRows: [4, 8], maxRows: 16, queueDelayMs: 10 };

  it.each([
    ["fewer than any preferred size wait for the delay", 3, 2, { kind: "wait", untilMs: 10 }],
    ["the largest preferred size that is there leaves at once", 5, 2, { kind: "send", count: 4 }],
    ["also when more are there than the largest", 9, 2, { kind: "send", count: 8 }],
    ["after the delay all leave that fit in a batch, preferred or not", 9, 10, { kind: "send", count: 9 }],
    ["but not more than that", 20, 10, { kind: "send", count: 16 }],
    ["after the delay also fewer", 3, 10, { kind: "send", count: 3, reason: "timeout" }],
  ])("%s", (_, count, nowMs, expected) => {
    expect(dynamicBatch(line(many(count)), nowMs, batching)).toMatchObject(expected);
  });

  it("what would step over all preferred sizes with the next request leaves without it", () => {
    // 3 rows, and 6 with the next: more than 4.
    const single = { ...batching, preferredRows: [4] };
    expect(dynamicBatch(line(many(3), 3), 2, single)).toMatchObject({ kind: "send", count: 1 });
  });
});

it("without a queue delay what waits leaves as soon as a replica is free, preferred sizes first", () => {
  const batching = { preferredRows: [4, 8], maxRows: 8, queueDelayMs: 0 };
  expect(dynamicBatch(line(many(3)), 0, batching)).toMatchObject({ kind: "send", count: 3 });
  expect(dynamicBatch(line(many(7)), 0, batching)).toMatchObject({ kind: "send", count: 4 });
});

it("rejects what has waited for longer than its timeout, when a replica is free to take it", () => {
  const edge = { sloMs: 100, maxBatchRows: 2, serviceMs: () => 60 };
  const values = { preferredPart: 1, queueDelayPart: 0, timeoutPart: 0.5 };
  const { calls, refused } = driveEdge((inputs) => tritonPolicy(inputs, values), edge, [0, 1, 2, 20, 55]);
  // At 60 ms those of 1 and 2 have waited 50 ms and more; that of 20 has 10 ms left.
  expect(refused).toEqual([1, 2]);
  expect(calls).toEqual([
    [0, 1],
    [60, 2],
  ]);
});

it("prefers a size and its doublings up to the largest batch", () => {
  const edge = { sloMs: 1_000, maxBatchRows: 12, serviceMs: (rows: number) => rows };
  const values = { preferredPart: 0.25, queueDelayPart: 0.5, timeoutPart: 1 };
  const { calls } = driveEdge((inputs) => tritonPolicy(inputs, values), edge, [...many(25)]);
  // The first 3 leave when they are there; after those 22 wait: 12, then 6 and, when their delay is over, 4.
  expect(calls.map(([, rows]) => rows)).toEqual([3, 12, 6, 3, 1]);
  expect(calls.at(-1)?.[0]).toBe(500);
});
