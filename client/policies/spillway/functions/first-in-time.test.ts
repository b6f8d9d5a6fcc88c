import fc from "fast-check";
import { expect, it } from "vitest";
import { firstInTime } from "./first-in-time.ts";
import type { LineView, WaitingRequest } from "../../policy.ts";

function lineOf(requests: readonly WaitingRequest[]): LineView {
  return {
    key: "",
    length: requests.length,
    rows: requests.reduce((sum, { rows }) => sum + rows, 0),
    at: (index) => requests[index] as WaitingRequest,
    oldestArrivalMs: () => 0,
  };
}

function waiting(rows: number, deadlineAtMs: number): WaitingRequest {
  return { rows, bytes: 0, arrivedAtMs: 0, deadlineAtMs, attempts: 0 };
}

it("finds the request that a search one by one finds, whatever their rows", () => {
  const requests = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 200 })));
  fc.assert(
    fc.property(requests, fc.nat(40), fc.boolean(), (drawn, from, areSingle) => {
      const inOrder = drawn.toSorted(([, a], [, b]) => a - b);
      const all = inOrder.map(([rows, dueMs]) => waiting(areSingle ? 1 : rows, dueMs));
      const start = Math.min(from, all.length);
      const latencyMs = (rows: number): number => 30 + 20 * rows;
      const oneByOne = all.findIndex(
        ({ rows, deadlineAtMs }, index) => index >= start && latencyMs(rows) <= deadlineAtMs - 7,
      );
      const found = firstInTime(lineOf(all), start, 7, latencyMs);
      expect(found).toBe(oneByOne === -1 ? all.length : oneByOne);
    }),
  );
});

it("asks once how long a call takes that a thousand requests are too late for", () => {
  const line = lineOf(Array.from({ length: 1_000 }, (_, index) => waiting(1, index / 100)));
  let asked = 0;
  expect(firstInTime(line, 0, 0, () => (asked++, 60))).toBe(1_000);
  expect(asked).toBe(1);
});
