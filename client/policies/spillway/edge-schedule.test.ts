import { describe, expect, it } from "vitest";
import { booksOf, ended, promisedAtMs, tinyEdge } from "../../../test/support/tiny-targets.ts";
import type { LearningPart } from "../policy-inputs.ts";
import type { EdgeSchedule } from "./edge-schedule.ts";

/**
 * Sends batches of a row one after another, each of which is served in `serviceMs` with `late` late answers;
 * returns the moment after.
 */
function serveAlone(
  books: EdgeSchedule,
  batches: number,
  serviceMs: number,
  fromMs: number,
  late = 0,
): number {
  const times = { serviceMs, serverQueuedMs: 0, coldStartMs: 0 };
  let nowMs = fromMs;
  for (let index = 0; index < batches; index++) {
    books.sent(1, nowMs);
    const endedAtMs = nowMs + 1 + 4 + serviceMs;
    books.ended(ended({ rows: 1, formedAtMs: nowMs, endedAtMs, times, late }));
    nowMs = endedAtMs + 1;
  }
  return nowMs;
}

describe("the edge's books", () => {
  it("promise an idle edge's answer after upload, round trip and service", () => {
    const books = booksOf(tinyEdge());
    books.open(100);
    expect(promisedAtMs(books, 0, 1)).toBeCloseTo(100 + 1 + 4 + 10, 5);
    expect(promisedAtMs(books, 0, 3)).toBeCloseTo(100 + 3 + 4 + 20, 5);
  });

  it("queue what is under way behind each other on one replica", () => {
    const books = booksOf(tinyEdge());
    books.sent(2, 0);
    books.sent(1, 0);
    books.open(1);
    // Two rows are there at 4 and served until 19, one row is there at 5 and served until 29.
    expect(books.dueAtMs(0, 1)).toBeCloseTo(29 - 1 - 2, 9);
    expect(promisedAtMs(books, 0, 1)).toBeCloseTo(29 + 10 + 2, 5);
  });

  it("spread what is under way over several replicas", () => {
    const books = booksOf(tinyEdge({ replicas: 3 }));
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
    const books = booksOf(tinyEdge());
    books.sent(8, 0);
    books.open(0);
    // There at 10, served until 55.
    books.book(0, 1);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(65 - 3, 9);
    books.book(0, 2);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(80 - 3, 9);
  });

  it("count the uplink's time as well as the replicas'", () => {
    const books = booksOf(tinyEdge({ rowUploadMs: 50, replicas: 2 }));
    books.sent(1, 0);
    books.open(0);
    expect(promisedAtMs(books, 1, 1)).toBeCloseTo(50 + 50 + 4 + 10, 5);
  });

  it("know until when a replica was busy from the answers that are back", () => {
    const books = booksOf(tinyEdge({ rowUploadMs: 0 }));
    books.sent(1, 0);
    books.ended(ended({ rows: 1, formedAtMs: 0, endedAtMs: 20 }));
    books.open(16);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(20 - 2 - 2, 9);
  });

  it("keep a reserve that grows with the horizon", () => {
    const reserves = [0, 1, 2, 4, 8].map((batches) => {
      const [exact, careful] = [0, 2].map((reserve) => {
        const books = booksOf(tinyEdge({ rowUploadMs: 0 }), reserve);
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
      const books = booksOf(tinyEdge({ rowUploadMs: 0, deviationMs: 6 }), reserve);
      for (let index = 0; index < 3; index++) books.sent(1, 0);
      books.open(0);
      return promisedAtMs(books, 0, 1);
    };
    expect(promised(2) - promised(0)).toBeCloseTo(2 * Math.sqrt(4 * 6 ** 2 + (0.05 * 32) ** 2), 4);
  });

  it("foresee worse the longer a batch is overdue, and for what follows it too", () => {
    const books = booksOf(tinyEdge(), 2);
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
    const exact = booksOf(tinyEdge());
    exact.sent(1, 0);
    exact.open(25);
    expect(exact.dueAtMs(0, 1)).toBeCloseTo(33 - 3, 9);
    expect(promisedAtMs(exact, 0, 1)).toBeCloseTo(33 + 20 + 2, 5);
  });

  it("take a batch that is late within its usual spread for one that ends now", () => {
    const books = booksOf(tinyEdge({ deviationMs: 10 }), 2);
    books.sent(1, 0);
    books.open(30);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(28 - 3, 9);
    // Beyond it, it counts as slow.
    books.open(36);
    expect(books.dueAtMs(0, 1)).toBeCloseTo(34 + 21 - 3, 9);
  });

  it("forget an overdue batch's delay as soon as its answer tells better", () => {
    const books = booksOf(tinyEdge());
    books.sent(1, 0);
    const times = { serviceMs: 30, serverQueuedMs: 0, coldStartMs: 0 };
    books.ended(ended({ rows: 1, formedAtMs: 0, endedAtMs: 35, times }));
    books.open(35);
    expect(promisedAtMs(books, 0, 1)).toBeCloseTo(35 + 5 + 10, 5);
  });

  it("say when to look again because something is overdue", () => {
    const books = booksOf(tinyEdge());
    books.open(0);
    expect(books.doubtAtMs).toBe(Infinity);
    books.sent(1, 0);
    // Expected back at 15.
    books.open(5);
    expect(books.doubtAtMs).toBeCloseTo(15.1, 9);
    books.open(25);
    expect(books.doubtAtMs).toBeCloseTo(25 + 10 + 0.1, 9);
  });

  it("forget what was only booked when they are rewound", () => {
    const books = booksOf(tinyEdge({ replicas: 2, deviationMs: 3 }), 2);
    books.sent(3, 0);
    books.open(1);
    const promised = [0, 1].map((replica) => promisedAtMs(books, replica, 2));
    books.book(1, 8);
    books.book(0, 4);
    expect([0, 1].map((replica) => promisedAtMs(books, replica, 2))).not.toEqual(promised);
    books.rewind();
    expect([0, 1].map((replica) => promisedAtMs(books, replica, 2))).toEqual(promised);
  });

  it("learn that the edge has become slower within a few batches, and that it is well again", () => {
    const books = booksOf(tinyEdge());
    let nowMs = 0;
    const promisedAfter = (times: number, serviceMs: number): number => {
      nowMs = serveAlone(books, times, serviceMs, nowMs);
      books.open(nowMs);
      return promisedAtMs(books, 0, 1) - nowMs;
    };
    expect(promisedAfter(100, 10)).toBeCloseTo(5 + 10, 5);
    expect(promisedAfter(1, 30)).toBeCloseTo(5 + 10, 5);
    expect(promisedAfter(8, 30)).toBeCloseTo(5 + 30, 5);
    // What one size has shown holds for all.
    expect(books.serviceMs[8]).toBeCloseTo(3 * 45, 5);
    expect(promisedAfter(8, 10)).toBeCloseTo(5 + 10, 5);
  });

  it("do not learn that it has become slower without that part of the learning, only to renew its tables", () => {
    const books = booksOf(tinyEdge(), 0, ["drift"]);
    serveAlone(books, 100, 10, 0);
    serveAlone(books, 300, 30, 10_000);
    expect(books.serviceMs[1]).toBeGreaterThan(20);
    // No more than that a larger batch is not faster.
    expect(books.serviceMs[8]).toBeCloseTo(45, 5);
  });

  it("keep a margin that grows with batches that had late answers, up to a quarter of the SLO", () => {
    const promisedAfter = (late: number, batches: number, without: readonly LearningPart[] = []): number => {
      const books = booksOf(tinyEdge(), 0, without);
      const nowMs = serveAlone(books, batches, 10, 0, late);
      books.open(nowMs);
      return promisedAtMs(books, 0, 1) - nowMs;
    };
    // A late batch adds a hundredth of the SLO of 1 s, and each takes off what 1 % late ones would add.
    expect(promisedAfter(1, 3)).toBeCloseTo(15 + 3 * 10 * 0.99, 5);
    expect(promisedAfter(0, 3)).toBeCloseTo(15, 5);
    expect(promisedAfter(1, 100)).toBeCloseTo(15 + 250, 5);
    expect(promisedAfter(1, 100, ["margin"])).toBeCloseTo(15, 5);
  });

  it("learn nothing from a batch that failed, or whose service time nobody told", () => {
    const books = booksOf(tinyEdge());
    for (const times of [undefined, { serviceMs: undefined, serverQueuedMs: undefined, coldStartMs: 0 }]) {
      books.sent(1, 0);
      books.ended(ended({ rows: 1, formedAtMs: 0, endedAtMs: 500, times, late: 1 }));
    }
    books.open(1_000);
    expect(promisedAtMs(books, 0, 1)).toBeCloseTo(1_015, 5);
  });

  it("tell plans what they reserve and what the uplink carries", () => {
    const { option } = booksOf(tinyEdge({ replicas: 3, deviationMs: 2, rowUploadMs: 0.5 }), 2);
    expect(option.replicas).toBe(3);
    expect(option.uplinkRowsPerMs).toBeCloseTo(2, 9);
    expect(option.serviceMs[8]).toBeCloseTo(45, 5);
    expect(option.latencyMs[8]).toBeCloseTo(45 + 2 * 2 + 8 * 0.5 + 4, 5);
    expect(booksOf(tinyEdge({ rowUploadMs: 0 })).option.uplinkRowsPerMs).toBe(Infinity);
  });
});
