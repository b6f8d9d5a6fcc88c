import fc from "fast-check";
import { expect, it } from "vitest";
import { monthBill } from "../../prices/month-bill.ts";
import type { CuPriceSheet } from "../../prices/price.ts";
import { recomputedBill } from "../../../test/support/recomputed-bill.ts";
import { runScaled } from "../../../test/support/scaled-functions.ts";
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

it("invoices the units of each function and hour rounded up, and the least price that the sheet names", () => {
  const book = new InvoiceBook({ ...prices, leastPerFunctionHour: 0.02 }, Date.UTC(2026, 10, 21, 9, 59));
  book.charge("f", 0.4, 0);
  book.charge("f", 0.7, 59_999);
  book.charge("f", 200, 60_000);
  book.charge("g", 1, 60_000);
  const { lines, cost, currency } = book.invoice();
  expect(lines).toEqual([
    { function: "f", hour: "2026-11-21T09:00:00.000Z", cu: 2, cost: 0.02 },
    { function: "f", hour: "2026-11-21T10:00:00.000Z", cu: 200, cost: 200 * 0.00011 },
    { function: "g", hour: "2026-11-21T10:00:00.000Z", cu: 1, cost: 0.02 },
  ]);
  expect([cost, currency]).toEqual([0.02 + 0.022 + 0.02, "CNY"]);
});

it("invoices no least price where the sheet has none, whatever its currency", () => {
  const book = new InvoiceBook(prices, 0);
  book.charge("f", 0.5, 0);
  expect(book.invoice()).toMatchObject({ lines: [{ cu: 0.5 }], cost: 0.5 * 0.00011 });
});

it("invoices a month by the tiers of its sheet, as its bill has it, and begins anew with the next", () => {
  const tiered = {
    ...prices,
    cuPerCall: 1,
    perCu: 2,
    leastPerFunctionHour: 5,
    tiers: [{ above: 100, price: 1 }],
  };
  const book = new InvoiceBook(tiered, Date.UTC(2026, 10, 30, 21));
  for (const hour of [0, 1, 2]) for (const name of ["f", "g"]) book.charge(name, 30.5, hour * 3_600_000);
  book.charge("f", 30, 3 * 3_600_000);
  const { lines } = book.invoice();
  expect(lines.map(({ cost }) => cost)).toEqual([62, 62, 62, 2 * 7 + 24, 31, 31, 60]);
  const used = { size: functions.single, calls: 3 * 30.5, billedMs: 0, hours: 3 };
  const november = lines.slice(0, 6).reduce((sum, { cost }) => sum + cost, 0);
  expect(monthBill(tiered, [used, used]).cost).toBe(november);
});
