import fc from "fast-check";
import { expect, it } from "vitest";
import { SpillwayError } from "../../../../base/errors.ts";
import type { KeptEvent } from "./kept-event.ts";
import { KeptEvents } from "./kept-events.ts";

const time = fc.double({ min: 0, max: 1e12, noNaN: true, noDefaultInfinity: true });
const id = fc.nat(100_000);
const arrival = fc.record({
  kind: fc.constant("arrival" as const),
  id,
  atMs: time,
  key: fc.constantFrom("a", "b", "resnet%2F50@8 abc"),
  rows: fc.integer({ min: 1, max: 1_000 }),
  bytes: fc.nat(),
  sloMs: time,
});
const event: fc.Arbitrary<KeptEvent> = fc.oneof(
  { weight: 5, arbitrary: arrival },
  fc.tuple(arrival, fc.constantFrom("vip", "bulk")).map(([plain, lane]) => ({ ...plain, lane })),
  arrival.map((plain) => ({ ...plain, tenant: "ann", isFinalAnywhere: false as const })),
  arrival.map((plain) => ({ ...plain, isSplittable: true as const })),
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("end" as const),
      id,
      atMs: time,
      outcome: fc.constantFrom("served" as const, "late" as const, "cancelled" as const),
    }),
  },
  fc.record({ kind: fc.constant("end" as const), id, atMs: time }).map((end) => {
    const { code, message } = new SpillwayError("queue_full");
    return { ...end, outcome: "refused" as const, code, why: { kind: "told" as const, text: message } };
  }),
  fc.record({ kind: fc.constant("cancel" as const), id, atMs: time }),
);

it("gives events back as they came, the latest of them", () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 30 }),
      fc.integer({ min: 1, max: 45 }),
      fc.integer({ min: 1_000, max: 2e6 }),
      (some, times, mostBytes) => {
        const kept = new KeptEvents(mostBytes);
        const all: KeptEvent[] = [];
        for (let nth = 0; nth < times; nth++)
          for (const each of some) {
            kept.push(each);
            all.push(each);
          }
        expect(kept.next).toBe(all.length);
        for (let at = kept.first; at < kept.next; at++) expect(kept.at(at)).toEqual(all[at]);
      },
    ),
    { numRuns: 8 },
  );
});

it("keeps no more than its bytes allow, and forgets the oldest first", () => {
  const kept = new KeptEvents(100_000);
  for (let nth = 0; nth < 10_000; nth++)
    kept.push({ kind: "arrival", id: nth, atMs: nth, key: "m", rows: 1, bytes: 10, sloMs: 1_000 });
  expect(kept.next).toBe(10_000);
  expect(kept.next - kept.first).toBe(1_560);
  expect(kept.at(kept.first)).toMatchObject({ kind: "arrival", id: 8_440 });
});

it("keeps nothing of an event that is larger than all it may keep", () => {
  const kept = new KeptEvents(1_000);
  const text = "x".repeat(2_000);
  kept.push({
    kind: "plan",
    key: "m",
    atMs: 0,
    cause: "start",
    ratePerS: 1,
    isAdopted: true,
    text,
  } as KeptEvent);
  expect(kept.first).toBe(kept.next);
  kept.push({ kind: "cancel", id: 3, atMs: 1 });
  expect(kept.at(kept.first)).toEqual({ kind: "cancel", id: 3, atMs: 1 });
});

it("tells of arrivals and ends of other requests that they do not concern one", () => {
  const kept = new KeptEvents(10_000);
  kept.push({ kind: "arrival", id: 1, atMs: 0, key: "m", rows: 1, bytes: 10, sloMs: 1_000 });
  kept.push({ kind: "end", id: 1, atMs: 5, outcome: "served" });
  kept.push({ kind: "close", atMs: 6 });
  expect([0, 1, 2].map((place) => kept.mayConcern(place, 1))).toEqual([true, true, true]);
  expect([0, 1, 2].map((place) => kept.mayConcern(place, 2))).toEqual([false, false, true]);
});
