import fc from "fast-check";
import { expect, it } from "vitest";
import { cuSheet } from "../../test/support/cu-sheet.ts";
import { recomputedBill } from "../../test/support/recomputed-bill.ts";
import { runScaled } from "../../test/support/scaled-functions.ts";

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

it("bills thousands of random calls as an independent calculation from their begins and ends does", () => {
  let billed = 0;
  fc.assert(
    fc.property(
      fc.array(call, { minLength: 300, maxLength: 300, size: "max" }),
      fc.constantFrom(0, 250.5),
      (calls, coldStartMs) => {
        const rules = { burst: 20, growthPerMin: 6_000, maxInstances: 40, idleMs: 5_000 };
        const run = runScaled({ rules, functions, calls, coldStartMs, stopMs: 3, prices: cuSheet });
        const ran = run.calls.flatMap((each) =>
          "instance" in each ? [{ ...each, instance: String(each.instance) }] : [],
        );
        for (const [name, size] of Object.entries(functions)) {
          const bill = run.bill.functions[name];
          if (bill === undefined) continue;
          const other = recomputedBill(name, ran, size, cuSheet);
          expect(bill.calls).toBe(other.calls);
          expect(bill.billedMs).toBeCloseTo(other.billedMs, 6);
          expect(bill.cost).toBeCloseTo(other.cost, 12);
          expect(bill.cu).toBeCloseTo(other.cost / cuSheet.perCu, 8);
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
  const { bill } = runScaled({ rules, functions, calls, prices: cuSheet });
  expect([bill.functions["single"]?.billedMs, bill.functions["shared"]?.billedMs]).toEqual([30_000, 10_000]);
});
