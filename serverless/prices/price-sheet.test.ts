import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { monthBill } from "./month-bill.ts";
import { callCost, type FunctionSize, type PriceSheet } from "./price.ts";
import { checkPrices, profileTargets } from "../../replay/world/profile.ts";
import { tinyWorld } from "../../test/support/tiny-world.ts";
import { checkPriceSheet, validityProblem } from "./price-sheet.ts";

const folder = new URL("./", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -".json".length));

function shipped(name: string): PriceSheet {
  const document: unknown = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
  return checkPriceSheet(document, name);
}

const cpu1: FunctionSize = { vcpu: 1, memoryMib: 1_024 };
const cpu1x2: FunctionSize = { vcpu: 1, memoryMib: 2_048 };
const cpu2x4: FunctionSize = { vcpu: 2, memoryMib: 4_096 };
/** Without the noise of binary fractions. */
const digits = (value: number): number => Number(value.toPrecision(12));

describe("the sheets that come with the program", () => {
  it.each(names)("%s is a sheet of that name, dated, with its source", (name) => {
    const sheet = shipped(name);
    expect(sheet.name).toBe(name);
    expect(sheet.source).toMatch(/price/);
    expect(validityProblem(sheet, "2026-12-01")).toBeUndefined();
    expect(sheet.tiers).toHaveLength(2);
  });

  it.each(names)("%s prices the sizes of a replay", (name) => {
    const sheet = shipped(name);
    const size = { name: "f", vcpu: 1, memoryMib: 1_024, maxBatch: 4, serviceMs: { "1": [50], "4": [50] } };
    const world = tinyWorld();
    const scenario = tinyWorld({ serverless: { ...world.serverless, coldStartMs: [30], sizes: [size] } });
    expect(() => checkPrices(scenario, sheet, "tiny.json")).not.toThrow();
    const cost = profileTargets(scenario, sheet)[1]?.costOf(50);
    expect(cost).toBe(callCost(sheet, size, 50).cost);
    expect(cost).toBeGreaterThan(0);
  });

  it.each([
    ["alibaba-fc-cn-2026", cpu1, 20, 0.0305, 3.355],
    ["alibaba-fc-cn-2026", cpu1x2, 100, 0.1375, 15.125],
    ["alibaba-fc-cn-2026", cpu2x4, 100, 0.2675, 29.425],
    ["alibaba-fc-intl-2024", cpu1, 20, 0.0305, 0.61],
    ["alibaba-fc-intl-2024", cpu1x2, 100, 0.1375, 2.75],
    ["alibaba-fc-intl-2024", cpu2x4, 100, 0.2675, 5.35],
  ])("%s charges a million calls of %j for %d ms as %d CU each", (name, size, durationMs, cu, perMillion) => {
    const sheet = shipped(name);
    const { cost } = callCost(sheet, size, durationMs);
    expect(digits(cost * 1e6)).toBe(perMillion);
    expect(digits(monthBill(sheet, [{ size, calls: 1, billedMs: durationMs }]).units)).toBe(cu);
  });

  it("a billion calls of 20 s, a hundred at a time on an instance, cost CNY 28,750 in China", () => {
    // What is billed of an instance is the time in which it has any call: a hundred at a time are 20 s together.
    const billedMs = (1e9 / 100) * 20_000;
    const bill = monthBill(shipped("alibaba-fc-cn-2026"), [{ size: cpu1x2, calls: 1e9, billedMs }]);
    expect(bill).toEqual({ units: 267_500_000, cost: 28_750 });
  });

  it("a function that is hardly called costs CNY 0.01 in each of its hours", () => {
    const usage = { size: cpu1, calls: 7_200, billedMs: 7_200 * 20, hours: 720 };
    const bill = monthBill(shipped("alibaba-fc-cn-2026"), [usage]);
    expect(bill.units).toBe(720);
    expect(digits(bill.cost)).toBe(7.2);
  });

  it.each([
    ["alibaba-fc-cn-2026", 51, 1_000],
    ["alibaba-fc-cn-2026", 10_500, 11_000],
    ["alibaba-fc-cn-2026-gpu-1ms", 50.5, 51],
    ["alibaba-fc-intl-2024", 51, 1_000],
  ])("%s rounds a GPU's %d ms up to %d", (name, durationMs, billedMs) => {
    const gpu = { card: "ada", memoryGib: 16 };
    expect(callCost(shipped(name), { ...cpu2x4, gpu }, durationMs).billedMs).toBe(billedMs);
  });

  it.each(names)("%s rounds a CPU's time up to a millisecond", (name) => {
    expect(callCost(shipped(name), cpu1, 51.01).billedMs).toBe(52);
    expect(callCost(shipped(name), cpu1, 52).billedMs).toBe(52);
  });

  it("Lambda bills the start of an instance with the call, Function Compute does not", () => {
    for (const name of ["aws-lambda-us-east-1-x86", "aws-lambda-us-east-1-arm"]) {
      expect(callCost(shipped(name), cpu1, 548.72, 31_414.74).billedMs).toBe(31_964);
    }
    expect(callCost(shipped("alibaba-fc-cn-2026"), cpu1, 548.72, 31_414.74).billedMs).toBe(549);
  });

  it.each([
    ["aws-lambda-us-east-1-x86", 16e9, 6e9 * 0.0000166667 + 9e9 * 0.000015 + 1e9 * 0.0000133334],
    ["aws-lambda-us-east-1-arm", 20e9, 7.5e9 * 0.0000133334 + 11.25e9 * 0.0000120001 + 1.25e9 * 0.0000106667],
  ])("%s charges %d GB-seconds tier by tier, and calls beside", (name, gbS, cost) => {
    const bill = monthBill(shipped(name), [{ size: cpu1, calls: 1e6, billedMs: gbS * 1_000 }]);
    expect(bill.units).toBe(gbS);
    expect(digits(bill.cost)).toBe(digits(cost + 0.2));
  });
});

describe("a sheet that somebody wrote", () => {
  const good = { ...shipped("alibaba-fc-cn-2026") };
  const read = (change: object) => () => checkPriceSheet({ ...good, ...change }, "my.json");

  it.each([
    [{ perCu: -1 }, "my.json: perCu is -1; allowed: a number of at least 0"],
    [{ perCu: "0.1" }, 'my.json: perCu is "0.1"; allowed: a number of at least 0'],
    [{ perCu: Infinity }, "my.json: perCu is Infinity; allowed: a number of at least 0"],
    [{ cuPerCall: undefined }, "my.json: cuPerCall is missing; allowed: a number of at least 0"],
    [{ kind: "hours" }, 'my.json: kind is "hours"; allowed: "cu" or "gb-second"'],
    [{ currency: "yuan" }, 'my.json: currency is "yuan"; allowed: three capital letters, such as CNY'],
    [{ validFrom: "2026-02-30" }, 'my.json: validFrom is "2026-02-30"; allowed: a date such as 2026-01-31'],
    [{ granularityMs: { cpu: 0 } }, "my.json: granularityMs.cpu is 0; allowed: a number above 0"],
    [{ granularityMs: { cpu: 1, ms: 1 } }, 'my.json: unknown field "granularityMs.ms"'],
    [{ cuPerGpuGibS: { ada: -1 } }, "my.json: cuPerGpuGibS.ada is -1; allowed: a number of at least 0"],
    [{ perCU: 1 }, 'my.json: unknown field "perCU"; did you mean "perCu"?'],
    [{ tiers: [{ above: 5 }] }, "my.json: tiers.0.price is missing; allowed: a number of at least 0"],
    [
      {
        tiers: [
          { above: 5, price: 1 },
          { above: 5, price: 1 },
        ],
      },
      "my.json: tiers.1.above is 5; allowed: a number above 5, that of the tier before",
    ],
  ])("with %j is refused by file, field, value and what is allowed", (change, message) => {
    expect(read(change)).toThrow(new Error(message));
  });

  it("is refused with a line for each problem, or when it is not an object", () => {
    expect(read({ perCu: -1, name: "" })).toThrow(
      'my.json: name is ""; allowed: a text that is not empty\nmy.json: perCu is -1; allowed: a number of at least 0',
    );
    for (const document of [null, [], 3, "sheet"]) {
      expect(() => checkPriceSheet(document, "my.json")).toThrow(/^my.json: kind is missing/);
    }
  });

  it("is reported as not valid before its first day and after its last", () => {
    const sheet = checkPriceSheet({ ...good, validUntil: "2026-08-27" }, "my.json");
    expect(validityProblem(sheet, "2025-01-01")).toMatch(/is valid from 2025-12-13 only/);
    expect(validityProblem(sheet, "2026-08-27")).toBeUndefined();
    expect(validityProblem(sheet, "2026-08-28")).toMatch(/was valid until 2026-08-27/);
  });
});
