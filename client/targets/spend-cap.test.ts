import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type Reservation,
  type SavedSpend,
  SpendCap,
  type SpendCapOptions,
  type SpendRefusal,
} from "./spend-cap.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const longestCallMs = 12 * minuteMs;

function capOf(options: Partial<SpendCapOptions>): SpendCap {
  const limits = { perHour: 1, perDay: Infinity };
  return new SpendCap({ limits, currency: "CNY", longestCallMs, nowMs: 0, ...options });
}

function isRefused(held: Reservation | SpendRefusal): held is SpendRefusal {
  return "why" in held;
}

function reserved(cap: SpendCap, amount: number, nowMs: number): Reservation {
  const held = cap.reserve(amount, nowMs);
  if (isRefused(held)) throw new Error(held.why);
  return held;
}

it("lets calls through until the cap, says why and until when it does not, and tells once of both changes", () => {
  const told: string[] = [];
  const cap = capOf({ onReached: (why) => told.push(why), onOver: () => told.push("over") });
  cap.settle(reserved(cap, 0.5, 0), 0.5, 30_000);
  cap.settle(reserved(cap, 0.5, 30_000), 0.4, 90_000);
  const refusal = cap.reserve(0.2, 100_000) as SpendRefusal;
  expect(refusal.why).toBe(
    "the spend cap of functions is reached: 0.9 of 1 CNY for an hour are spent and 0 reserved; a call may cost 0.2",
  );
  // What was settled in the first minute counts until an hour after that minute.
  expect(refusal.retryAfterMs).toBe(hourMs + minuteMs - 100_000);
  expect(cap.status(100_000)).toMatchObject({ isReached: true, hour: { limit: 1 }, day: { limit: null } });
  expect(isRefused(cap.reserve(0.2, 100_000 + refusal.retryAfterMs - 1))).toBe(true);
  cap.settle(reserved(cap, 0.2, 100_000 + refusal.retryAfterMs), 0.1, 100_000 + refusal.retryAfterMs);
  expect(told).toEqual([refusal.why, "over"]);
});

it("asks to come back soon when calls under way hold what is left", () => {
  const told: string[] = [];
  const cap = capOf({ onReached: (why) => told.push(why) });
  const first = reserved(cap, 0.6, 0);
  expect(cap.reserve(0.6, 0)).toMatchObject({ retryAfterMs: 100 });
  cap.settle(first, 0.01, 10);
  reserved(cap, 0.6, 20);
  expect(told).toEqual([]);
});

it("counts a call that was given up as if it ran to its time limit, and one that costs more than was reserved", () => {
  const cap = capOf({});
  cap.keep(reserved(cap, 0.7, 0), 10_000);
  expect(isRefused(cap.reserve(0.4, hourMs + longestCallMs))).toBe(true);
  expect(isRefused(cap.reserve(0.4, hourMs + longestCallMs + minuteMs))).toBe(false);
  const other = capOf({});
  other.settle(reserved(other, 0.1, 0), 1.5, 10);
  expect(isRefused(other.reserve(0.1, 20))).toBe(true);
});

it("holds the cap of a day beside that of an hour", () => {
  const cap = capOf({ limits: { perHour: 1, perDay: 3 } });
  let spent = 0;
  for (let nowMs = 0; nowMs < 24 * hourMs; nowMs += minuteMs) {
    const held = cap.reserve(0.1, nowMs);
    if (isRefused(held)) continue;
    cap.settle(held, 0.1, nowMs);
    spent += 0.1;
  }
  expect(spent).toBeCloseTo(3, 9);
});

it.each([
  ["day", { perHour: Infinity, perDay: 1_000 }],
  ["hour", { perHour: 1_000, perDay: Infinity }],
])("keeps no more of the past than counts when there is a cap of the %s alone", (_, limits) => {
  let saved: SavedSpend | undefined;
  const cap = capOf({ limits, save: (each) => (saved = each) });
  for (let nowMs = 0; nowMs < 72 * hourMs; nowMs += minuteMs)
    cap.settle(reserved(cap, 0.01, nowMs), 0.01, nowMs);
  cap.close(72 * hourMs);
  expect(saved?.hour.length).toBeLessThan(65);
  expect(saved?.day.length).toBeLessThan(100);
});

it("lets no call through when what it costs cannot be kept, and writes seldom when it can", () => {
  const saves: SavedSpend[] = [];
  let isFull = false;
  const cap = capOf({
    save: (saved) => {
      if (isFull) throw new Error("the disk is full");
      saves.push(saved);
    },
  });
  for (let call = 0; call < 900; call++) cap.settle(reserved(cap, 0.01, call), 0.001, call);
  expect(saves.length).toBeLessThan(150);
  isFull = true;
  const held = Array.from({ length: 9 }, () => cap.reserve(0.01, 1_000));
  expect(held.at(-1)).toMatchObject({ why: expect.stringContaining("the disk is full") });
});

/** What really was paid for: some time between begin and end. */
interface Paid {
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly cost: number;
}

/** The most that was paid in any window, when each call is paid for at one moment of its run. */
function mostInWindow(paid: readonly Paid[], windowMs: number, momentOf: (paid: Paid) => number): number {
  const events = paid
    .map((each) => ({ atMs: momentOf(each), cost: each.cost }))
    .toSorted((a, b) => a.atMs - b.atMs);
  let most = 0;
  let sum = 0;
  let first = 0;
  for (const { atMs, cost } of events) {
    sum += cost;
    while ((events[first]?.atMs ?? Infinity) <= atMs - windowMs) sum -= events[first++]?.cost ?? 0;
    most = Math.max(most, sum);
  }
  return most;
}

/** Mostly what brings the cap close to its limit and keeps it there: many calls, and pauses of about an hour or a day. */
const step = fc.record({
  kind: fc.constantFrom(
    "call",
    "burst",
    "burst",
    "end",
    "endAll",
    "endAll",
    "giveUpAll",
    "kill",
    "killInSave",
    "restart",
    "clockBack",
  ),
  waitMs: fc.oneof(
    fc.constant(0),
    fc.nat(minuteMs),
    fc.integer({ min: hourMs - 2 * minuteMs, max: hourMs + 2 * minuteMs }),
    fc.integer({ min: 24 * hourMs - 30 * minuteMs, max: 24 * hourMs + 30 * minuteMs }),
  ),
  /** What a call may cost, and which part of that it does. */
  amount: fc.constantFrom(0.003, 0.02, 0.1),
  share: fc.constantFrom(1, 1, 0.9, 0.01),
  pick: fc.nat(1_000),
});

it(
  "never lets more than the cap be spent in any hour or day, whatever fails and whenever it is killed",
  { tags: ["slow"] },
  () => {
    let callsMade = 0;
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 80 }),
        fc.constantFrom(0.3, 1, 7),
        (steps, perDayFactor) => {
          const limits = { perHour: 1, perDay: perDayFactor };
          const paid: Paid[] = [];
          let underWay: { held: Reservation; beganAtMs: number; isOurs: boolean }[] = [];
          let trueMs = 0;
          let clockMs = 1e9;
          let file: SavedSpend | undefined;
          let dying: "before" | "after" | undefined;
          const save = (saved: SavedSpend): void => {
            if (dying === "before") throw new Error("killed");
            file = structuredClone(saved);
            if (dying === "after") throw new Error("killed");
          };
          const open = (): SpendCap => capOf({ limits, nowMs: clockMs, saved: file, save });
          let cap = open();
          const restart = (): void => {
            // Calls go on without the process that made them, and nobody hears how they end.
            underWay = underWay.map((call) => ({ ...call, isOurs: false }));
            dying = undefined;
            cap = open();
          };
          const call = (amount: number): boolean => {
            const held = cap.reserve(amount, clockMs);
            if (isRefused(held)) {
              refused++;
              return false;
            }
            callsMade++;
            underWay.push({ held, beganAtMs: trueMs, isOurs: true });
            return true;
          };
          const end = (index: number, share: number, isAnswered: boolean): void => {
            const [ended] = underWay.splice(index, 1);
            if (ended === undefined) return;
            const { held, beganAtMs, isOurs } = ended;
            const cost = share * held.amount;
            const endedAtMs = isAnswered ? trueMs : beganAtMs + longestCallMs;
            paid.push({ beganAtMs, endedAtMs: Math.max(beganAtMs, endedAtMs), cost });
            if (!isOurs) return;
            if (isAnswered) cap.settle(held, cost, clockMs);
            else cap.keep(held, clockMs);
          };
          for (const { kind, waitMs, amount, share, pick } of steps) {
            // Time passes, but no call runs for longer than it can.
            trueMs += waitMs;
            clockMs += waitMs;
            // Of those that nobody hears of any more, each costs all that it can, as late as it can.
            while (underWay[0] !== undefined && underWay[0].beganAtMs + longestCallMs < trueMs)
              end(0, 1, false);
            if (kind === "call") call(amount);
            if (kind === "burst") for (let each = 0; each < 400 && call(amount); each++);
            if (kind === "end") end(pick % Math.max(1, underWay.length), share, true);
            if (kind === "endAll") while (underWay.length > 0) end(0, share, true);
            if (kind === "giveUpAll") while (underWay.length > 0) end(0, 1, false);
            if (kind === "killInSave") {
              dying = pick % 2 === 0 ? "before" : "after";
              // Not made when it was killed on the way.
              const made = underWay.length;
              for (let each = 0; each < 5; each++) call(amount);
              callsMade -= underWay.length - made;
            }
            if (kind === "kill" || kind === "killInSave") restart();
            if (kind === "restart") {
              cap.close(clockMs);
              restart();
            }
            if (kind === "clockBack") clockMs -= pick * minuteMs;
          }
          while (underWay.length > 0) end(0, 1, false);
          for (const momentOf of [(each: Paid) => each.beganAtMs, (each: Paid) => each.endedAtMs]) {
            expect(mostInWindow(paid, hourMs, momentOf)).toBeLessThanOrEqual(limits.perHour + 1e-9);
            expect(mostInWindow(paid, 24 * hourMs, momentOf)).toBeLessThanOrEqual(limits.perDay + 1e-9);
          }
        },
      ),
      { numRuns: 150 },
    );
    // The cap was reached often, and not always.
    expect(callsMade).toBeGreaterThan(2_000);
    expect(refused).toBeGreaterThan(2_000);
  },
);
