/**
 * Expected values come from the original Python: its `Optimizer` with numpy's least squares, and its
 * `CorkDispatcher` unrolled under a simulated clock that polls each 0.01 ms, on the same arrivals.
 */
import { expect, it } from "vitest";
import { driveEdge, lineOf } from "../../../test/support/drive-edge.ts";
import { defaultValues } from "../../../client/policies/parameters.ts";
import { bentomlParameters, bentomlPolicy, whenToCall } from "./bentoml.ts";
import { CorkOptimizer } from "./cork-optimizer.ts";

it("learns what a call lasts as the original does, from the third call on and every 5 s", () => {
  const optimizer = new CorkOptimizer(300);
  expect([optimizer.perRequestMs, optimizer.fixedMs]).toEqual([20, 10]);
  const calls = [
    // At ms, requests, wait, duration, then what is learned: ms a request, fixed ms, mean wait.
    [0, 1, 0, 500, 20, 10, 0],
    [1_000, 1, 0, 400, 20, 10, 0],
    [2_000, 1, 0, 12, 6, 6, 0],
    [3_000, 3, 4, 16, 6, 6, 0],
    [4_000, 5, 6, 21, 6, 6, 0],
    [7_500, 8, 10, 26, 2.028_037_383_177_6, 10.130_841_121_495, 5],
    [8_000, 2, 2, 15, 2.028_037_383_177_6, 10.130_841_121_495, 5],
  ] as const;
  for (const [atMs, requests, waitMs, durationMs, perRequestMs, fixedMs, meanWaitMs] of calls) {
    optimizer.ended({ requests, waitMs, durationMs }, atMs);
    expect(optimizer.perRequestMs).toBeCloseTo(perRequestMs, 9);
    expect(optimizer.fixedMs).toBeCloseTo(fixedMs, 9);
    expect(optimizer.waitMs).toBeCloseTo(meanWaitMs, 9);
  }
});

it("calls and cancels at the moments at which the original does", () => {
  const arrivalsMs = [
    ...Array.from({ length: 1_000 }, (_, k) => k * 6),
    ...Array.from({ length: 60 }, (_, k) => 6_000 + k * 1.5),
    ...Array.from({ length: 30 }, (_, k) => 6_400 + k * 4.3),
  ];
  const edge = { sloMs: 60, maxBatchRows: 8, serviceMs: (rows: number) => 10 + 2 * rows };
  const { calls, refused } = driveEdge(bentomlPolicy, edge, arrivalsMs);
  expect(calls).toHaveLength(414);
  const late = calls.filter(([atMs]) => atMs >= 5_990);
  // The oldest of them go at 6000 to 6112 ms, when more comes than can be served within 60 ms.
  expect(refused).toEqual([
    6_010.5, 6_012, 6_025.5, 6_027, 6_028.5, 6_030, 6_031.5, 6_033, 6_034.5, 6_036, 6_037.5, 6_039, 6_052.5,
    6_054, 6_055.5, 6_057, 6_058.5, 6_060, 6_061.5, 6_063, 6_064.5, 6_078,
  ]);
  const expected = [
    [5_994.49, 3],
    [6_010.49, 7],
    [6_034.49, 8],
    [6_060.49, 8],
    [6_086.49, 8],
    [6_112.49, 7],
    [6_406.53, 2],
    [6_420.53, 3],
    [6_436.53, 4],
    [6_454.53, 4],
    [6_472.53, 4],
    [6_490.53, 5],
    [6_510.53, 4],
    [6_528.53, 4],
  ] as const;
  expect(late.map(([, rows]) => rows)).toEqual(expected.map(([, rows]) => rows));
  // Polling is late by up to 0.01 ms a call.
  for (const [i, [atMs]] of expected.entries())
    expect(Math.abs((late[i]?.[0] ?? 0) - atMs)).toBeLessThan(0.1);
});

it("keeps a call open while n (age of the newest + 1 ms + a) is below 0.95 of the mean wait", () => {
  const optimizer = { perRequestMs: 2, fixedMs: 10, waitMs: 20 };
  const limits = { optimizer, maxLatencyMs: 100, maxRows: 8 };
  const view = (nowMs: number, arrivalsMs: readonly number[]) => {
    const waiting = arrivalsMs.map((atMs) => {
      return { rows: 1, bytes: 0, arrivedAtMs: atMs, deadlineAtMs: atMs + 100, attempts: 0 };
    });
    return { nowMs, line: lineOf(waiting), targets: [], batchesFormed: 0, draining: false };
  };
  // 2 (age + 1 + 2) <= 19 up to an age of 6.5 ms.
  expect(whenToCall(view(5, [0, 4]), 5, limits)).toEqual({ kind: "wait", untilMs: 10.5 });
  expect(whenToCall(view(10.5, [0, 4]), 10.5, limits)).toBe("call");
  // Cancelled when 2 requests, called now, would be back 100 ms after the first came: at 100 - 2 * 2 - 10.
  expect(whenToCall(view(50, [0, 4]), Infinity, limits)).toEqual({ kind: "wait", untilMs: 86 });
  expect(whenToCall(view(86, [0, 4]), Infinity, limits)).toMatchObject({ kind: "refuse", count: 1 });
  // A single request is called in any case.
  expect(whenToCall(view(99, [0]), 99, limits)).toBe("call");
});

it("has the original's limits as defaults: the SLO and the largest batch", () => {
  expect(defaultValues(bentomlParameters)).toEqual({ maxLatencyPart: 1, maxBatchPart: 1 });
});
