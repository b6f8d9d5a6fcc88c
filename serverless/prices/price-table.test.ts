import { expect, it } from "vitest";
import type { PriceSheet } from "./price.ts";
import { formatPrices, formatSheets, priceFunctions } from "./price-table.ts";

const head = { currency: "CNY", validFrom: "2026-01-01" };
const cu: PriceSheet = {
  ...head,
  name: "units",
  source: "a page",
  kind: "cu",
  perCu: 0.00011,
  tiers: [{ above: 200_000_000, price: 0.0001 }],
  leastPerFunctionHour: 0.01,
  cuPerCall: 0.0075,
  cuPerVcpuS: 1,
  cuPerGibS: 0.15,
  cuPerGpuGibS: { ada: 1.7 },
  granularityMs: { cpu: 1, gpu: 1_000 },
};
const gbSecond: PriceSheet = {
  ...head,
  name: "memory",
  validUntil: "2026-12-31",
  source: "another page",
  kind: "gb-second",
  perGbS: 0.0000133334,
  perCall: 0.0000002,
  granularityMs: { cpu: 1 },
};
const size = { vcpu: 1, memoryMib: 1_024 };

it("lists sheets with what a second of vCPU and memory and a call cost, never with an exponent", () => {
  expect(formatSheets([cu, gbSecond])).toBe(
    `sheet   currency  valid from   vCPU-s          GB-s         call
units   CNY       2026-01-01  0.00011     0.0000165  0.000000825
    a page
memory  CNY       2026-01-01        -  0.0000133334    0.0000002
    until 2026-12-31; another page
`,
  );
});

it("prices the functions of a menu by call, request and million requests", () => {
  const menu = [
    { name: "small", size },
    { name: "large", size: { vcpu: 2, memoryMib: 4_096 } },
  ];
  expect(formatPrices(cu, priceFunctions(cu, menu, { durationMs: 19.5, batch: 4 }))).toBe(
    `CNY by units (from 2026-01-01): calls of 0.0195 s for 4 requests
function  size              billed s       a call      a request  1M requests
small     1 vCPU, 1024 MiB      0.02  0.000003355  0.00000083875         0.84
large     2 vCPU, 4096 MiB      0.02  0.000006545  0.00000163625         1.64
`,
  );
});

it("prices a month by the sheet's tiers, and tells what an hour costs at least or that this is left out", () => {
  const named = [{ name: "f", size: { ...size, memoryMib: 2_048 } }];
  const load = { durationMs: 200, batch: 1, month: { calls: 1e9 } };
  const priced = priceFunctions(cu, named, load);
  expect(priced.functions[0]?.perMonth).toBe(28_750);
  expect(formatPrices(cu, priced)).toContain(
    "28750.00\na month has 1000000000 calls; the least price of CNY 0.01 an hour is left out without --hours\n",
  );
  const rare = { ...load, month: { calls: 10, hours: 10 } };
  const many = { ...load, month: { calls: 12_345_678 } };
  expect(formatPrices(cu, priceFunctions(cu, named, many))).toContain("a month has 12345678 calls;");
  expect(formatPrices(cu, priceFunctions(cu, named, rare))).toMatch(
    / 0\.10\na month has 10 calls, even over 10 hours, at CNY 0\.01 an hour or more\n$/,
  );
});

it("shows memory alone where vCPU come with it, and a GPU where there is one", () => {
  const memory = priceFunctions(gbSecond, [{ name: "f", size }], { durationMs: 20, batch: 1 });
  expect(formatPrices(gbSecond, memory)).toMatch(/\nf {9}1024 MiB {6}0\.02/);
  const gpu = { ...size, gpu: { card: "ada", memoryGib: 16 } };
  const withGpu = priceFunctions(cu, [{ name: "f", size: gpu }], { durationMs: 51, batch: 1 });
  expect(formatPrices(cu, withGpu)).toMatch(/1 vCPU, 1024 MiB, ada 16 GiB +1 /);
  expect(() => priceFunctions(gbSecond, [{ name: "f", size: gpu }], { durationMs: 1, batch: 1 })).toThrow(
    /memory has no GPU card "ada"; known: none/,
  );
});

it("shows a price that ends on half a hundredth rounded up, as bills have it", () => {
  const priced = priceFunctions(cu, [{ name: "f", size }], { durationMs: 20, batch: 1 });
  expect(priced.functions[0]?.perMillionRequests).toBe(3.355);
  expect(formatPrices(cu, priced)).toMatch(/ 3\.36\n$/);
});
