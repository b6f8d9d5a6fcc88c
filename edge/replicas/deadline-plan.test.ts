import { describe, expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { planByDeadlines, type PlannedRequest, type PlanOptions } from "./deadline-plan.ts";

interface Due extends PlannedRequest {
  readonly id: number;
}

const serviceMs = (rows: number): number => 40 + 15 * rows;
const times = { expectedMs: serviceMs, safeMs: serviceMs, knownRows: 64 };

function lineOf(...deadlinesMs: (number | Partial<Due>)[]): Due[] {
  return deadlinesMs.map((due, id) => {
    const plain = { id, rows: 1, rank: 2, deadlineAtMs: Infinity };
    return typeof due === "number" ? { ...plain, deadlineAtMs: due } : { ...plain, ...due };
  });
}

function planned(line: readonly Due[], options: Partial<PlanOptions<Due>> = {}) {
  const plan = planByDeadlines(line, {
    nowMs: 0,
    mostRows: 32,
    parallel: 1,
    times,
    isCrowded: false,
    spared: new Set<Due>(),
    ...options,
  });
  return { batch: plan.batch.map(({ id }) => id), givenUp: plan.givenUp.map(({ id }) => id) };
}

describe("the plan of a batch", () => {
  it("takes as many as may run together, in the order of arrival, while all are in time", () => {
    expect(planned(lineOf(900, 500, 700, 900), { mostRows: 3 })).toEqual({ batch: [0, 1, 2], givenUp: [] });
  });

  it("cuts a batch short for the oldest when the others are in time after it", () => {
    expect(planned(lineOf(60, 300, 300))).toEqual({ batch: [0], givenUp: [] });
  });

  it("gives up an oldest that would cut the batch short when more are in time without it", () => {
    const line = lineOf(60, ...Array<number>(10).fill(190));
    expect(planned(line)).toEqual({ batch: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], givenUp: [0] });
  });

  it("gives up those with the least time left when not all can be in time, and no more than it must", () => {
    // Two batches of two rows are in time until 140 ms, the second at 140 ms.
    const line = lineOf(100, 110, 120, 140, 145);
    const { batch, givenUp } = planned(line, { mostRows: 2 });
    expect(givenUp).toEqual([0]);
    expect(batch).toEqual([1, 2]);
  });

  it("runs a later one first when the order of arrival would make it late", () => {
    expect(planned(lineOf(1_000, 1_000, 60), { mostRows: 1 })).toEqual({ batch: [2], givenUp: [] });
  });

  it("never gives up a request without a deadline, and keeps every second row for those in a crowd", () => {
    const patient = Array.from({ length: 20 }, () => ({}));
    const timed = Array.from({ length: 20 }, () => 200);
    const { batch, givenUp } = planned(lineOf(...patient, ...timed), { mostRows: 8, isCrowded: true });
    expect(batch.filter((id) => id < 20)).toHaveLength(4);
    expect(batch.filter((id) => id >= 20)).toHaveLength(4);
    expect(givenUp.every((id) => id >= 20)).toBe(true);
  });

  it("gives up nothing of a lower rank for one of a higher rank, which runs behind it", () => {
    const urgent = lineOf(...Array.from({ length: 4 }, () => ({ rank: 1, deadlineAtMs: 80 })));
    const bulk = lineOf(...Array.from({ length: 8 }, () => ({ rank: 3, deadlineAtMs: 160 })));
    const line = [...urgent, ...bulk.map((each) => ({ ...each, id: each.id + 4 }))];
    const { batch, givenUp } = planned(line, { mostRows: 8 });
    expect(batch.slice(0, 2)).toEqual([2, 3]);
    expect(givenUp.filter((id) => id < 4)).toEqual([0, 1]);
  });

  it("tries a request that is spared, whatever its deadline", () => {
    const line = lineOf(10);
    expect(planned(line)).toEqual({ batch: [], givenUp: [0] });
    expect(planned(line, { spared: new Set(line) })).toEqual({ batch: [0], givenUp: [] });
  });

  it("forms batches no larger than what is known of their time when deadlines count", () => {
    const known = { ...times, knownRows: 4 };
    expect(planned(lineOf(...Array<number>(10).fill(900)), { times: known }).batch).toHaveLength(4);
    expect(planned(lineOf({}, {}, {}, {}, {}, {}), { times: known }).batch).toHaveLength(6);
  });

  it("runs a request alone that has more rows than run together, when it is in time", () => {
    const line = lineOf({ rows: 40, deadlineAtMs: 700 }, 900);
    expect(planned(line)).toEqual({ batch: [0], givenUp: [] });
  });
});

/** The most requests that one replica can answer in time, by trying every sequence of batches. */
function mostInTime(line: readonly Due[], mostRows: number): number {
  const known = new Map<string, number>();
  const from = (left: number, nowMs: number): number => {
    const key = `${left} ${nowMs}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    let best = 0;
    for (let batch = left; batch > 0; batch = (batch - 1) & left) {
      const together = line.filter((_, index) => (batch >> index) & 1);
      const rows = together.reduce((total, each) => total + each.rows, 0);
      const endMs = nowMs + serviceMs(rows);
      if (rows > mostRows || together.some(({ deadlineAtMs }) => deadlineAtMs < endMs)) continue;
      best = Math.max(best, together.length + from(left & ~batch, endMs));
    }
    known.set(key, best);
    return best;
  };
  return from(2 ** line.length - 1, 0);
}

/** How many one replica answers in time that takes what the plan says, again and again. */
function planInTime(line: readonly Due[], mostRows: number, isCrowded: boolean): number {
  let [left, nowMs, inTime] = [[...line], 0, 0];
  while (left.length > 0) {
    const now = nowMs;
    const plan = planByDeadlines(left, { nowMs, mostRows, parallel: 1, times, isCrowded, spared: new Set() });
    const gone = new Set([...plan.batch, ...plan.givenUp]);
    nowMs = now + serviceMs(plan.batch.reduce((rows, each) => rows + each.rows, 0));
    const endMs = nowMs;
    inTime += plan.batch.filter(({ deadlineAtMs }) => deadlineAtMs >= endMs).length;
    left = left.filter((each) => !gone.has(each));
  }
  return inTime;
}

describe.each([
  ["requests of one row and one patience", 1, true, false],
  ["requests of one row and any patience", 1, false, false],
  ["requests of several rows", 3, false, false],
  ["a crowd", 1, true, true],
] as const)("with %s", (_, mostOwnRows, isSorted, isCrowded) => {
  it("at least nine of ten that can be in time are", () => {
    const random = seededRandom(7);
    let [served, possible] = [0, 0];
    for (let round = 0; round < 300; round++) {
      const count = 2 + Math.floor(7 * random());
      const deadlines = Array.from({ length: count }, () => 50 + 300 * random());
      if (isSorted) deadlines.sort((a, b) => a - b);
      const line = lineOf(
        ...deadlines.map((deadlineAtMs) => ({ deadlineAtMs, rows: 1 + Math.floor(mostOwnRows * random()) })),
      );
      const mostRows = 1 + Math.floor(5 * random()) + mostOwnRows - 1;
      served += planInTime(line, mostRows, isCrowded);
      possible += mostInTime(line, mostRows);
    }
    expect(served / possible).toBeGreaterThanOrEqual(0.9);
  });
});
