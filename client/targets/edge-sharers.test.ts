import { expect, it } from "vitest";
import { EdgeSharers, type SharedLine } from "./edge-sharers.ts";

/** A line of requests of one row, due at these times, in batches of two that take 10 ms at edge 0 and 30 at edge 1. */
function lineOf(...dueAtMs: number[]): SharedLine {
  const requests = dueAtMs.map((deadlineAtMs) => ({ rows: 1, deadlineAtMs }));
  const line = { length: requests.length, at: (index: number) => requests[index] as (typeof requests)[0] };
  return { line, batchRows: 2, workMs: (edge) => (edge === 0 ? 10 : 30) };
}

const own = lineOf(100);
const oneEdge = new Map([[0, 1]]);

function sharersOf(...lines: SharedLine[]): EdgeSharers {
  const sharers = new EdgeSharers();
  for (const shared of [own, ...lines]) sharers.waits(shared);
  return sharers;
}

it("claims the edge for the batches of other lines, by deadline, as far as they are due before that time", () => {
  const sharers = sharersOf(lineOf(50, 60, 70, 200), lineOf(40));
  expect(sharers.hasOthers(own.line)).toBe(true);
  expect(sharers.claims(own.line, oneEdge, 0, 100).get(0)).toEqual([
    { dueAtMs: 40, workMs: 10 },
    { dueAtMs: 50, workMs: 10 },
    { dueAtMs: 70, workMs: 10 },
  ]);
});

it("claims nothing for what no edge can serve in time", () => {
  const late = sharersOf(lineOf(5), lineOf(30, 31, 32, 33, 34, 35, 36, 37));
  expect(late.claims(own.line, oneEdge, 0, 100).get(0)).toHaveLength(3);
});

it("claims the edge that would be done first", () => {
  const claims = sharersOf(lineOf(50, 50, 60, 60, 70, 70, 80, 80)).claims(
    own.line,
    new Map([
      [0, 1],
      [1, 1],
    ]),
    0,
    100,
  );
  expect([claims.get(0)?.length, claims.get(1)?.length]).toEqual([3, 1]);
});

it("forgets a line once it is empty, and knows nothing where a line is alone", () => {
  const sharers = sharersOf();
  expect(sharers.hasOthers(own.line)).toBe(false);
  const empty = lineOf();
  sharers.waits(empty);
  expect(sharers.claims(own.line, oneEdge, 0, 100).size).toBe(0);
  expect(sharers.hasOthers(own.line)).toBe(false);
});

it("adds up what all need, without those who left", () => {
  const sharers = new EdgeSharers();
  const [a, b] = [0.5, 0.75].map((part) => ({ utilisation: () => part }));
  sharers.add(a as never);
  sharers.add(b as never);
  expect(sharers.utilisation(0)).toBe(1.25);
  sharers.remove(a as never);
  expect(sharers.utilisation(0)).toBe(0.75);
});
