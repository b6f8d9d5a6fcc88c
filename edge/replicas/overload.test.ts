/** What the queue of a model makes of more requests than its replicas can answer, in virtual time. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { type Arrival, type Outcome, simulateQueue } from "../../test/support/simulated-queue.ts";

/** A model that gains from batches: 40 ms and 15 ms a row, up to 32 rows. */
const serviceMs = (rows: number): number => 40 + 15 * rows;
const capacityPerMs = 32 / serviceMs(32);
const sloMs = 1_500;

/** Requests that come at random moments, so many times as fast as can be served. */
function comings(
  load: number,
  fromMs: number,
  toMs: number,
  like: Partial<Arrival> = {},
  seed = 1,
): Arrival[] {
  const random = seededRandom(seed);
  const arrivals: Arrival[] = [];
  const step = (): number => -Math.log(1 - random()) / (load * capacityPerMs);
  for (let atMs = fromMs + step(); atMs < toMs; atMs += step())
    arrivals.push({ atMs, withinMs: sloMs, ...like });
  return arrivals;
}

const together = (...all: Arrival[][]): Arrival[] => all.flat().sort((a, b) => a.atMs - b.atMs);

function within(outcomes: readonly Outcome[], fromMs: number, toMs: number): Outcome[] {
  return outcomes.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
}

function inTime(outcomes: readonly Outcome[]): number {
  return outcomes.filter(({ end }) => end === "in time").length;
}

function shareInTime(outcomes: readonly Outcome[]): number {
  return inTime(outcomes) / outcomes.length;
}

/** Times that vary by that part, up and down. */
function noisy(part: number): (rows: number) => number {
  const random = seededRandom(3);
  return (rows) => serviceMs(rows) * (1 + part * (2 * random() - 1));
}

describe.each([0, 0.2])("with times that vary by %d", (part) => {
  it.each([1.3, 2, 5, 10])("%d times what can be served leaves nine tenths of it in time", (load) => {
    const outcomes = simulateQueue(comings(load, 0, 60_000), { serviceMs: noisy(part) });
    const most = capacityPerMs * 58_000;
    expect(inTime(within(outcomes, 2_000, 60_000)) / most).toBeGreaterThanOrEqual(0.93);
  });

  it("what can be served is", () => {
    const outcomes = simulateQueue(comings(0.8, 0, 60_000), { serviceMs: noisy(part) });
    expect(shareInTime(outcomes)).toBeGreaterThanOrEqual(0.995);
  });

  it("one SLO after an overload it is as if nothing had happened", () => {
    const arrivals = together(comings(0.6, 0, 40_000), comings(9.4, 10_000, 20_000, {}, 2));
    const outcomes = simulateQueue(arrivals, { serviceMs: noisy(part) });
    expect(shareInTime(within(outcomes, 2_000, 10_000 - sloMs))).toBe(1);
    expect(shareInTime(within(outcomes, 20_000 + sloMs, 40_000))).toBe(1);
  });
});

it("two replicas answer twice as much, and of two kinds of requests each gets its part", () => {
  const keys = ["a", "b"] as const;
  const arrivals = together(...keys.map((key, seed) => comings(2, 0, 30_000, { key }, seed + 1)));
  const outcomes = within(simulateQueue(arrivals, { serviceMs, replicas: 2 }), 2_000, 30_000);
  expect(inTime(outcomes) / (2 * capacityPerMs * 28_000)).toBeGreaterThanOrEqual(0.9);
  for (const key of keys) {
    const ofKey = outcomes.filter((each) => each.key === key);
    expect(inTime(ofKey) / inTime(outcomes)).toBeGreaterThan(0.35);
  }
});

it("who is dropped is told long before the deadline, and hardly anybody misses it in the queue", () => {
  const outcomes = within(simulateQueue(comings(5, 0, 30_000), { serviceMs: noisy(0.2) }), 2_000, 30_000);
  expect(outcomes.filter(({ end }) => end === "late").length / outcomes.length).toBeLessThan(0.01);
  const atOnce = outcomes.filter(({ end, atMs, endedAtMs }) => end === "too-late" && endedAtMs === atMs);
  expect(atOnce.length / outcomes.length).toBeGreaterThan(0.5);
});

describe("without deadlines", () => {
  const patient = { withinMs: Infinity };

  it("the queue becomes no longer than its time allows, and who is accepted is answered", () => {
    const arrivals = comings(5, 0, 60_000, patient);
    const outcomes = simulateQueue(arrivals, { serviceMs, maxQueueMs: 5_000, maxQueueRows: 100_000 });
    const answered = outcomes.filter(({ end }) => end === "in time");
    expect(Math.max(...answered.map(({ atMs, endedAtMs }) => endedAtMs - atMs))).toBeLessThan(
      5_000 + 2 * 520,
    );
    expect(answered.length / (capacityPerMs * 60_000)).toBeGreaterThan(0.95);
    const others = outcomes.filter(({ end }) => end !== "in time");
    expect(others.every(({ end, atMs, endedAtMs }) => end === "long-queue" && endedAtMs === atMs)).toBe(true);
  });

  it("an urgent request is accepted although the others have filled the queue", () => {
    const arrivals = together(
      comings(5, 0, 30_000, patient),
      comings(0.2, 0, 30_000, { ...patient, rank: 1 }, 2),
    );
    const outcomes = simulateQueue(arrivals, { serviceMs, maxQueueMs: 2_000, maxQueueRows: 100_000 });
    const urgent = outcomes.filter(({ rank }) => rank === 1);
    expect(shareInTime(urgent)).toBe(1);
    expect(Math.max(...urgent.map(({ atMs, endedAtMs }) => endedAtMs - atMs))).toBeLessThan(3 * 520);
  });

  it("a single request is accepted however long it takes", () => {
    const arrivals = [0, 20_000, 40_000].map((atMs) => ({ atMs, ...patient }));
    const outcomes = simulateQueue(arrivals, { serviceMs: () => 15_000, maxQueueMs: 1_000 });
    expect(shareInTime(outcomes)).toBe(1);
  });
});

describe("nobody starves", () => {
  it("of those with a deadline and those without when both come too fast", () => {
    const patient = { withinMs: Infinity };
    const arrivals = together(comings(2, 0, 60_000), comings(2, 0, 60_000, patient, 2));
    const outcomes = within(simulateQueue(arrivals, { serviceMs }), 10_000, 60_000);
    const most = capacityPerMs * 50_000;
    const timed = inTime(outcomes.filter(({ withinMs }) => withinMs === sloMs));
    expect(timed / most).toBeGreaterThan(0.35);
    const answered = simulateQueue(arrivals, { serviceMs }).filter(
      ({ withinMs, end, endedAtMs }) => withinMs === Infinity && end === "in time" && endedAtMs < 60_000,
    );
    expect(answered.length / (capacityPerMs * 60_000)).toBeGreaterThan(0.35);
  });

  it("below capacity, whatever its rows", () => {
    const arrivals = together(
      comings(0.25, 0, 300_000),
      comings(0.01, 0, 300_000, { rows: 16 }, 2),
      comings(0.002, 0, 300_000, { rows: 40 }, 3),
    );
    const outcomes = simulateQueue(arrivals, { serviceMs: noisy(0.1) });
    for (const rows of [undefined, 16, 40]) {
      const ofSize = outcomes.filter((each) => each.rows === rows);
      expect(shareInTime(ofSize)).toBeGreaterThanOrEqual(0.95);
    }
  });

  it("of urgent requests when others come ten times too fast", () => {
    const arrivals = together(comings(0.4, 0, 30_000, { rank: 1 }), comings(10, 0, 30_000, { rank: 3 }, 2));
    const outcomes = within(simulateQueue(arrivals, { serviceMs: noisy(0.1) }), 2_000, 30_000);
    expect(shareInTime(outcomes.filter(({ rank }) => rank === 1))).toBeGreaterThanOrEqual(0.98);
    expect(inTime(outcomes) / (capacityPerMs * 28_000)).toBeGreaterThanOrEqual(0.9);
  });
});

describe("what was learned does not keep a model from serving", () => {
  it("after a stall", () => {
    const stalled = (rows: number, atMs: number): number =>
      serviceMs(rows) + (atMs > 10_000 && atMs < 13_000 ? 13_000 - atMs : 0);
    const outcomes = simulateQueue(comings(0.5, 0, 30_000), { serviceMs: stalled });
    expect(shareInTime(within(outcomes, 13_000 + sloMs, 30_000))).toBe(1);
  });

  it.each([0.02, 0.5, 5])("after a time in which it was twenty times slower, at a load of %d", (load) => {
    const slow = (rows: number, atMs: number): number => serviceMs(rows) * (atMs < 30_000 ? 20 : 1);
    const outcomes = simulateQueue(comings(load, 0, 60_000), { serviceMs: slow });
    const later = within(outcomes, 36_000, 60_000);
    const most = Math.min(later.length, capacityPerMs * 24_000);
    expect(inTime(later) / most).toBeGreaterThanOrEqual(0.9);
  });

  it("when its first batches were very slow", () => {
    let batches = 0;
    const cold = (rows: number): number => (batches++ < 2 ? 3_000 : serviceMs(rows));
    const outcomes = simulateQueue(comings(0.5, 0, 30_000), { serviceMs: cold });
    expect(shareInTime(within(outcomes, 8_000, 30_000))).toBe(1);
  });

  it("when requests of another size come that would take too long by what is known", () => {
    const arrivals = together(
      comings(0.3, 0, 20_000, { rows: 1 }),
      comings(0.005, 10_000, 20_000, { rows: 48 }, 2),
    );
    const flat = (rows: number): number => 50 + rows;
    const wide = simulateQueue(arrivals, { serviceMs: flat }).filter(({ rows }) => rows === 48);
    expect(shareInTime(wide)).toBe(1);
  });
});
