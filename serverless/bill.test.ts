import fc from "fast-check";
import { expect, it } from "vitest";
import type { CuPriceSheet } from "../algorithms/price.ts";
import { recomputedBill } from "../test/recomputed-bill.ts";
import { runScaled } from "../test/scaled-functions.ts";
import { InvoiceBook } from "./invoice.ts";

const prices: CuPriceSheet = {
  name: "test",
  kind: "cu",
  currency: "CNY",
  validFrom: "2026-01-01",
  source: "this test",
  perCu: 0.00011,
  cuPerCall: 0.0075,
  cuPerVcpuS: 1,
  cuPerGibS: 0.15,
  cuPerGpuGibS: { tesla: 2.1 },
  granularityMs: { cpu: 1, gpu: 1000 },
};
const functions = {
  single: { vcpu: 0.35, memoryMib: 512, concurrency: 1 },
  shared: { vcpu: 2, memoryMib: 4096, concurrency: 7 },
  gpu: { vcpu: 4, memoryMib: 16_384, gpu: { card: "tesla", memoryGib: 16 }, concurrency: 3 },
};

const call = fc.record({
  atMs: fc.noBias(fc.double({ min: 0, max: 60_000, noNaN: true })),
  name: fc.constantFrom("single", "shared", "gpu"),
  durationMs: fc.oneof(
    fc.noBias(fc.double({ min: 0, max: 400, noNaN: true })),
    fc.integer({ min: 0, max: 3_000 }),
  ),
});

it("bills thousands of random calls as their begins and ends on their instances do, reckoned another way", () => {
  let billed = 0;
  fc.assert(
    fc.property(
      fc.array(call, { minLength: 300, maxLength: 300, size: "max" }),
      fc.constantFrom(0, 250.5),
      (calls, coldStartMs) => {
        const rules = { burst: 20, growthPerMin: 6_000, maxInstances: 40, idleMs: 5_000 };
        const run = runScaled({ rules, functions, calls, coldStartMs, stopMs: 3, prices });
        const ran = run.calls.flatMap((each) =>
          "instance" in each ? [{ ...each, instance: String(each.instance) }] : [],
        );
        for (const [name, size] of Object.entries(functions)) {
          const bill = run.bill.functions[name];
          if (bill === undefined) continue;
          const other = recomputedBill(name, ran, size, prices);
          expect(bill.calls).toBe(other.calls);
          expect(bill.billedMs).toBeCloseTo(other.billedMs, 6);
          expect(bill.cost).toBeCloseTo(other.cost, 12);
          expect(bill.cu).toBeCloseTo(other.cost / prices.perCu, 8);
        }
        expect(run.bill.total.calls + run.bill.total.notCharged).toBe(calls.length);
        billed += ran.length;
      },
    ),
    { numRuns: 80 },
  );
  expect(billed).toBeGreaterThan(2_000);
});

it("bills 10 s for three calls of 10 s on one instance, and 30 s on one each", () => {
  const calls = ["single", "shared"].flatMap((name) =>
    Array.from({ length: 3 }, () => ({ atMs: 0, name, durationMs: 10_000 })),
  );
  const rules = { burst: 10, growthPerMin: 0, maxInstances: 10, idleMs: 5_000 };
  const { bill } = runScaled({ rules, functions, calls, prices });
  expect([bill.functions["single"]?.billedMs, bill.functions["shared"]?.billedMs]).toEqual([30_000, 10_000]);
});

it("invoices the units of each function and hour rounded up, and a cent at least", () => {
  const book = new InvoiceBook(prices, Date.UTC(2026, 10, 21, 9, 59));
  book.charge("f", 0.4, 0);
  book.charge("f", 0.7, 59_999);
  book.charge("f", 200, 60_000);
  book.charge("g", 1, 60_000);
  const { lines, cost, currency } = book.invoice();
  expect(lines).toEqual([
    { function: "f", hour: "2026-11-21T09:00:00.000Z", cu: 2, cost: 0.01 },
    { function: "f", hour: "2026-11-21T10:00:00.000Z", cu: 200, cost: 200 * 0.00011 },
    { function: "g", hour: "2026-11-21T10:00:00.000Z", cu: 1, cost: 0.01 },
  ]);
  expect([cost, currency]).toEqual([0.01 + 0.022 + 0.01, "CNY"]);
});

it("invoices no least price where none is known", () => {
  const book = new InvoiceBook({ ...prices, currency: "USD", perCu: 0.00002 }, 0);
  book.charge("f", 0.5, 0);
  expect(book.invoice().cost).toBe(0.00002);
});
