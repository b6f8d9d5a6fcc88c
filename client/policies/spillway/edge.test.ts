import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EndedBatch, LineView } from "../../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { EdgeBooks } from "./edge-books.ts";
import { EdgeChoice } from "./edge-choice.ts";
import { findLeftOver } from "./left-over.ts";

interface EdgeFacts {
  readonly meanMs?: (rows: number) => number;
  /** Standard deviation of every service time, as its quantiles show it. */
  readonly deviationMs?: number;
  readonly replicas?: number;
  readonly maxBatchRows?: number;
  readonly rowUploadMs?: number;
}

/** Serves the first row in 10 ms and each further one in 5; a row takes 1 ms to upload, each way takes 2 ms. */
function edgeOf(facts: EdgeFacts = {}): TargetProfile {
  const { meanMs = (rows) => 5 + 5 * rows, deviationMs = 0, replicas = 1, maxBatchRows = 8 } = facts;
  const byRows = (of: (rows: number) => number): number[] =>
    Array.from({ length: maxBatchRows + 1 }, (_, rows) => (rows === 0 ? 0 : of(rows)));
  return {
    name: "edge",
    kind: "edge",
    replicas,
    maxBatchRows,
    rttMs: 4,
    uploadMs: byRows((rows) => rows * (facts.rowUploadMs ?? 1)),
    meanServiceMs: byRows(meanMs),
    costs: byRows(() => 0),
    serviceMs: () => byRows((rows) => meanMs(rows) + 1.645 * deviationMs),
  };
}

/** A line of requests with these deadlines, of one row each unless `rows` says more. */
function lineOf(deadlinesAtMs: readonly number[], rows: readonly number[] = []): LineView {
  const requests = deadlinesAtMs.map((deadlineAtMs, index) => {
    return { rows: rows[index] ?? 1, bytes: 0, arrivedAtMs: 0, deadlineAtMs, attempts: 0 };
  });
  return {
    key: "",
    length: requests.length,
    rows: requests.reduce((sum, each) => sum + each.rows, 0),
    at: (index) => requests[index] as (typeof requests)[number],
    oldestArrivalMs: () => 0,
  };
}

/** `count` requests with the same deadline. */
function crowd(count: number, deadlineAtMs: number): LineView {
  return lineOf(Array.from({ length: count }, () => deadlineAtMs));
}

/** When the books promise the answer to a batch: the earliest deadline for which it fits, found by halving. */
function promisedAtMs(books: EdgeBooks, replica: number, rows: number): number {
  let [late, inTime] = [-1e4, 1e6];
  while (inTime - late > 1e-7) {
    const middle = (late + inTime) / 2;
    if (books.fit(crowd(rows, middle), replica, 0, rows).count === rows) inTime = middle;
    else late = middle;
  }
  return inTime;
}

function ended(
  facts: Partial<EndedBatch> & Pick<EndedBatch, "rows" | "formedAtMs" | "endedAtMs">,
): EndedBatch {
  const times = { serviceMs: undefined, serverQueuedMs: undefined, coldStartMs: 0 };
  return { target: 0, key: "", bytes: 0, late: 0, times, ...facts };
}

/** Sends batches of a row one after another, each of which is served in `serviceMs`; returns the moment after. */
function serveAlone(books: EdgeBooks, times: number, serviceMs: number, fromMs: number): number {
  let nowMs = fromMs;
  for (let index = 0; index < times; index++) {
    books.sent(1, nowMs);
    const endedAtMs = nowMs + 1 + 4 + serviceMs;
    const timesSeen = { serviceMs, serverQueuedMs: 0, coldStartMs: 0 };
    books.ended(ended({ rows: 1, formedAtMs: nowMs, endedAtMs, times: timesSeen }));
    nowMs = endedAtMs + 1;
  }
  return nowMs;
}

describe("the edge's books", () => {
  it("promise an idle edge's answer after upload, round trip and service", () => {
    const books = new EdgeBooks(edgeOf(), 0);
    books.open(100);
    expect(promisedAtMs(books, 0, 1)).toBeCloseTo(100 + 1 + 4 + 10, 5);
    expect(promisedAtMs(books, 0, 3)).toBeCloseTo(100 + 3 + 4 + 20, 5);
  });

  it("queue what is under way behind each other on one replica", () => {
    const books = new EdgeBooks(edgeOf(), 0);
    books.sent(2, 0);
    books.sent(1, 0);
    books.open(1);
    // Two rows are there at 4 and served until 19, one row is there at 5 and served until 29.
    expect(books.dueAtMs(0, 1)).toBeCloseTo(29 - 1 - 2, 9);
    expect(promisedAtMs(books, 0, 1)).toBeCloseTo(29 + 10 + 2, 5);
  });

  it("spread what is under way over several replicas", () => {
    const books = new EdgeBooks(edgeOf({ replicas: 3 }), 0);
    books.sent(2, 0);
    books.sent(1, 0);
    books.sent(1, 0);
    books.sent(1, 0);
    books.open(1);
    // Served from 4 to 19, 5 to 15 and 6 to 16; the fourth on the second replica from 15 to 25.
    expect([0, 1, 2].map((replica) => books.dueAtMs(replica, 1))).toEqual([16, 22, 13]);
    expect(books.soonest()).toBe(2);
    books.book(2, 8);
    expect(books.soonest()).toBe(0);
  });

  it("enter what could follow as if it left in time to reach the replica when it is free", () => {
    const books = new EdgeBooks(edgeOf(), 0);
    books.sent(8, 0);
    books.open(0);
    // There at 10, served until 55.
    books.book(0, 1);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(65 - 3, 9);
    books.book(0, 2);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(80 - 3, 9);
  });

  it("count the uplink's time as well as the replicas'", () => {
    const books = new EdgeBooks(edgeOf({ rowUploadMs: 50, replicas: 2 }), 0);
    books.sent(1, 0);
    books.open(0);
    expect(promisedAtMs(books, 1, 1)).toBeCloseTo(50 + 50 + 4 + 10, 5);
  });

  it("know until when a replica was busy from the answers that are back", () => {
    const books = new EdgeBooks(edgeOf({ rowUploadMs: 0 }), 0);
    books.sent(1, 0);
    books.ended(ended({ rows: 1, formedAtMs: 0, endedAtMs: 20 }));
    books.open(16);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(20 - 2 - 2, 9);
  });

  it("keep a reserve that grows with the horizon", () => {
    const reserves = [0, 1, 2, 4, 8].map((batches) => {
      const [exact, careful] = [0, 2].map((reserve) => {
        const books = new EdgeBooks(edgeOf({ rowUploadMs: 0 }), reserve);
        for (let index = 0; index < batches; index++) books.sent(8, 0);
        books.open(0);
        return promisedAtMs(books, 0, 8);
      }) as [number, number];
      return careful - exact;
    });
    // The replica is free at 2 + 45 ms a batch: a twentieth of that, twice.
    expect(reserves.map((ms) => ms.toFixed(4))).toEqual(
      [0, 1, 2, 4, 8].map((batches) => (batches === 0 ? 0 : 0.1 * (2 + 45 * batches)).toFixed(4)),
    );
  });

  it("add deviations up as squares, not one worst case on another", () => {
    const promised = (reserve: number): number => {
      const books = new EdgeBooks(edgeOf({ rowUploadMs: 0, deviationMs: 6 }), reserve);
      for (let index = 0; index < 3; index++) books.sent(1, 0);
      books.open(0);
      return promisedAtMs(books, 0, 1);
    };
    expect(promised(2) - promised(0)).toBeCloseTo(2 * Math.sqrt(4 * 6 ** 2 + (0.05 * 32) ** 2), 4);
  });

  it("foresee worse the longer a batch is overdue, and for what follows it too", () => {
    const books = new EdgeBooks(edgeOf(), 2);
    books.sent(1, 0);
    // Expected to be served from 3 to 13 and back at 15.
    const promises = [10, 15, 17, 25, 35, 60, 100].map((nowMs) => {
      books.open(nowMs);
      return promisedAtMs(books, 0, 1) - nowMs;
    });
    // Before it is overdue the rest of it gets shorter, afterwards longer.
    expect(promises[1]).toBeLessThan(promises[0] as number);
    for (let index = 2; index < promises.length; index++) {
      expect(promises[index]).toBeGreaterThan(promises[index - 1] as number);
    }
    // At 25 the edge is seen until 23: 10 ms over, 20 in service instead of 10.
    const exact = new EdgeBooks(edgeOf(), 0);
    exact.sent(1, 0);
    exact.open(25);
    expect(exact.dueAtMs(0, 1)).toBeCloseTo(33 - 3, 9);
    expect(promisedAtMs(exact, 0, 1)).toBeCloseTo(33 + 20 + 2, 5);
  });

  it("take a batch that is late within its usual spread for one that ends now", () => {
    const books = new EdgeBooks(edgeOf({ deviationMs: 10 }), 2);
    books.sent(1, 0);
    books.open(30);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(28 - 3, 9);
    // Beyond it, it counts as slow.
    books.open(36);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(34 + 21 - 3, 9);
  });

  it("forget an overdue batch's delay as soon as its answer tells better", () => {
    const books = new EdgeBooks(edgeOf(), 0);
    books.sent(1, 0);
    const timesSeen = { serviceMs: 30, serverQueuedMs: 0, coldStartMs: 0 };
    books.ended(ended({ rows: 1, formedAtMs: 0, endedAtMs: 35, times: timesSeen }));
    books.open(35);
    expect(promisedAtMs(books, 0, 1)).toBeCloseTo(35 + 5 + 10 * 3 ** 0.1, 5);
  });

  it("learn a slower edge from its service times, and that it is well again", () => {
    const books = new EdgeBooks(edgeOf(), 0);
    let nowMs = 0;
    const promisedAfter = (times: number, serviceMs: number): number => {
      nowMs = serveAlone(books, times, serviceMs, nowMs);
      books.open(nowMs);
      return promisedAtMs(books, 0, 1) - nowMs;
    };
    expect(promisedAfter(1, 30)).toBeLessThan(5 + 12);
    expect(promisedAfter(80, 30)).toBeCloseTo(5 + 30, 1);
    expect(promisedAfter(100, 10)).toBeCloseTo(5 + 10, 1);
  });

  it("learn nothing from a batch that failed, or whose service time nobody told", () => {
    const books = new EdgeBooks(edgeOf(), 0);
    for (const times of [undefined, { serviceMs: undefined, serverQueuedMs: undefined, coldStartMs: 0 }]) {
      books.sent(1, 0);
      books.ended(ended({ rows: 1, formedAtMs: 0, endedAtMs: 500, times }));
    }
    books.open(1_000);
    expect(promisedAtMs(books, 0, 1)).toBeCloseTo(1_015, 5);
  });
});

describe("the requests that fit", () => {
  const cases = fc.record({
    reserve: fc.constantFrom(0, 1, 2.3),
    deviationMs: fc.constantFrom(0, 2, 7),
    replicas: fc.integer({ min: 1, max: 3 }),
    underWay: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 5 }),
    nowMs: fc.integer({ min: 0, max: 30 }),
    deadlines: fc.array(fc.integer({ min: 0, max: 160 }), { minLength: 1, maxLength: 14 }),
    first: fc.nat(13),
    maxRows: fc.integer({ min: 1, max: 8 }),
  });

  /** How many of `rows` can be served for the first one's deadline, counted one by one with promises of the books. */
  function counted(
    books: EdgeBooks,
    replica: number,
    line: LineView,
    first: number,
    maxRows: number,
  ): number {
    const { deadlineAtMs } = line.at(first);
    let rows = 0;
    for (let index = first; index < line.length; index++) {
      rows += line.at(index).rows;
      if (rows > maxRows || promisedAtMs(books, replica, rows) > deadlineAtMs + 1e-6) return index - first;
    }
    return line.length - first;
  }

  it.each([1, 3])("are as many as a count one by one gives, with up to %i rows each", (mostRows) => {
    fc.assert(
      fc.property(
        cases,
        fc.array(fc.integer({ min: 1, max: mostRows }), { minLength: 14, maxLength: 14 }),
        (facts, rows) => {
          const { deadlines, maxRows, underWay, nowMs } = facts;
          const books = new EdgeBooks(edgeOf(facts), facts.reserve);
          for (const each of underWay) books.sent(each, 0);
          books.open(nowMs);
          const line = lineOf(
            deadlines.sort((a, b) => a - b),
            rows,
          );
          const first = facts.first % line.length;
          for (let replica = 0; replica < facts.replicas; replica++) {
            const fit = books.fit(line, replica, first, maxRows);
            const count = counted(books, replica, line, first, maxRows);
            let rowsOfThem = 0;
            for (let index = first; index < first + count; index++) rowsOfThem += line.at(index).rows;
            expect(fit).toEqual({ first, count, rows: rowsOfThem });
          }
        },
      ),
      { seed: 2, numRuns: 60 },
    );
  });

  it("are none when the first has more rows than the edge takes at once", () => {
    const books = new EdgeBooks(edgeOf(), 0);
    books.open(0);
    expect(books.fit(lineOf([1_000, 1_000], [9, 1]), 0, 0, 8)).toEqual({ first: 0, count: 0, rows: 0 });
  });
});

describe("the edge's choice", () => {
  const choose = (
    profile: TargetProfile,
    line: LineView,
    canSkip?: (first: number, count: number) => boolean,
  ) => {
    const books = new EdgeBooks(profile, 0);
    books.open(0);
    return new EdgeChoice(profile).choose(line, books, 0, 0, canSkip);
  };
  const gaining = edgeOf({ meanMs: (rows) => 20 + rows });
  const losing = edgeOf({ meanMs: (rows) => 10 * rows + rows ** 2, rowUploadMs: 0.01 });

  it("while time is not scarce, is the oldest and as many as are in time", () => {
    // Six rows take 6 + 4 + 35 ms, seven 51.
    expect(choose(edgeOf(), crowd(20, 50))).toEqual({ first: 0, count: 6, rows: 6 });
    expect(choose(edgeOf(), crowd(20, 1_000))).toMatchObject({ first: 0, count: 8 });
    expect(choose(losing, crowd(20, 1_000))).toMatchObject({ first: 0, count: 8 });
    expect(choose(edgeOf(), lineOf([15, 900, 900, 900]))).toMatchObject({ first: 0, count: 1 });
  });

  it("leaves out the oldest that could not be served in time even alone", () => {
    expect(choose(edgeOf(), lineOf([3, 14.9, 40, 50]))).toEqual({ first: 2, count: 2, rows: 2 });
    expect(choose(edgeOf(), lineOf([3, 14.9]))).toMatchObject({ count: 0 });
  });

  it("when time is scarce, is small where batching gains nothing and large where it does", () => {
    expect(new EdgeChoice(losing).bestRows).toBe(1);
    expect(choose(losing, crowd(20, 1_000), () => true)).toMatchObject({ first: 0, count: 1 });
    expect(new EdgeChoice(gaining).bestRows).toBe(8);
    expect(choose(gaining, crowd(20, 1_000), () => true)).toMatchObject({ first: 0, count: 8 });
  });

  it("when time is scarce, keeps off sizes whose last rows make them slower", () => {
    // Up to four rows at a time take 20 ms, more take another 20.
    const stairs = edgeOf({ meanMs: (rows) => 20 * Math.ceil(rows / 4) });
    expect(new EdgeChoice(stairs).bestRows).toBe(4);
    const chosen = [3, 4, 5, 6, 7, 8].map((count) => choose(stairs, crowd(count, 1_000), () => true).count);
    expect(chosen).toEqual([3, 4, 4, 4, 4, 8]);
    expect(choose(stairs, crowd(7, 1_000)).count).toBe(7);
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
    expect(new EdgeChoice(gaining).capacityPerMs).toBeCloseTo(8 / 28, 9);
    expect(new EdgeChoice(edgeOf({ replicas: 3, rowUploadMs: 0.1 })).capacityPerMs).toBeCloseTo(24 / 45, 9);
    expect(new EdgeChoice(edgeOf({ replicas: 30, rowUploadMs: 4 })).capacityPerMs).toBeCloseTo(0.25, 9);
  });
});

describe("what is left over", () => {
  const cases = fc.record({
    replicas: fc.integer({ min: 1, max: 3 }),
    maxBatchRows: fc.integer({ min: 1, max: 5 }),
    rowUploadMs: fc.constantFrom(0, 0.5, 4),
    underWay: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }),
    deadlines: fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 16 }),
  });
  type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;
  const profileOf = (facts: Case): TargetProfile => edgeOf({ ...facts, meanMs: (rows) => 8 + 3 * rows });
  const booksOf = (facts: Case): EdgeBooks => {
    const books = new EdgeBooks(profileOf(facts), 0);
    for (const rows of facts.underWay) books.sent(Math.min(rows, facts.maxBatchRows), 0);
    books.open(0);
    return books;
  };

  /** Indices that the edge cannot serve in time, by playing its link and replicas forward batch by batch. */
  function playedForward({ replicas, maxBatchRows, rowUploadMs, underWay, deadlines }: Case): number[] {
    const freeAtMs: number[] = Array.from({ length: replicas }, () => -Infinity);
    let linkFreeAtMs = 0;
    const serveMs = (rows: number): number => 8 + 3 * rows;
    const endOf = (replica: number, rows: number): number =>
      Math.max(linkFreeAtMs + rows * rowUploadMs + 2, freeAtMs[replica] as number) + serveMs(rows);
    const soonest = (): number => freeAtMs.indexOf(Math.min(...freeAtMs));
    for (const each of underWay) {
      const rows = Math.min(each, maxBatchRows);
      const replica = soonest();
      freeAtMs[replica] = endOf(replica, rows);
      linkFreeAtMs += rows * rowUploadMs;
    }
    const left: number[] = [];
    for (let next = 0; next < deadlines.length;) {
      const replica = soonest();
      let count = Math.min(maxBatchRows, deadlines.length - next);
      while (count > 0 && endOf(replica, count) + 2 > (deadlines[next] as number)) count--;
      if (count === 0) {
        left.push(next++);
        continue;
      }
      const endMs = endOf(replica, count);
      const uploadMs = count * rowUploadMs;
      linkFreeAtMs = Math.max(linkFreeAtMs, (freeAtMs[replica] as number) - uploadMs - 2) + uploadMs;
      freeAtMs[replica] = endMs;
      next += count;
    }
    return left;
  }

  it("is what a play-forward by hand leaves", () => {
    fc.assert(
      fc.property(cases, (facts) => {
        facts.deadlines.sort((a, b) => a - b);
        const left = playedForward(facts);
        const found = findLeftOver(
          lineOf(facts.deadlines),
          booksOf(facts),
          new EdgeChoice(profileOf(facts)),
          undefined,
        );
        expect(found).toEqual({ count: left.length, first: left[0] ?? facts.deadlines.length });
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it("is all when nothing can be in time, and nothing when the edge has time for all", () => {
    const profile = edgeOf();
    const left = (line: LineView) => {
      const books = new EdgeBooks(profile, 0);
      books.open(0);
      return findLeftOver(line, books, new EdgeChoice(profile), undefined);
    };
    expect(left(crowd(5, 14))).toEqual({ count: 5, first: 0 });
    expect(left(crowd(50, 10_000))).toEqual({ count: 0, first: 50 });
    expect(left(lineOf([]))).toEqual({ count: 0, first: 0 });
  });

  it("counts those who are passed over, and never more than the line holds", () => {
    fc.assert(
      fc.property(cases, (facts) => {
        facts.deadlines.sort((a, b) => a - b);
        const line = lineOf(facts.deadlines);
        const { count, first } = findLeftOver(
          line,
          booksOf(facts),
          new EdgeChoice(profileOf(facts)),
          () => true,
        );
        expect(count).toBeLessThanOrEqual(line.length - first);
        expect(count === 0).toBe(first === line.length);
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
