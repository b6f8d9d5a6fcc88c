/** The price list as a user runs it. */
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Ended, runInProcess } from "../support/command-line.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-prices-"));
const sheet = "alibaba-fc-cn-2026";
const shipped = readdirSync(new URL("../../serverless/prices", import.meta.url)).filter((file) =>
  file.endsWith(".json"),
);

function prices(...flags: string[]): Promise<Ended> {
  return runInProcess("prices", ...flags);
}

it("lists every sheet that comes with the program, with its currency, date, prices and source", async () => {
  const { status, stdout } = await prices();
  expect(status).toBe(0);
  expect(stdout).toMatch(/^sheet +currency +valid from +vCPU-s +GB-s +call\n/);
  expect(stdout).toMatch(/\nalibaba-fc-cn-2026 +CNY +2025-12-13 +0\.00011 +0\.0000165 +0\.000000825\n/);
  expect(stdout).toMatch(/\nalibaba-fc-intl-2024 +USD +2024-08-27 +0\.00002 +0\.000003 +0\.00000015\n/);
  expect(stdout).toMatch(/\naws-lambda-us-east-1-x86 +USD +2025-08-01 +- +0\.0000166667 +0\.0000002\n/);
  expect(stdout).toMatch(/\naws-lambda-us-east-1-arm +USD +2025-08-01 +- +0\.0000133334 +0\.0000002\n/);
  expect(stdout.match(/^ {4}A.*price/gm)).toHaveLength(shipped.length);
});

it("prices a load over hours by a user's own sheet, as JSON, and warns of prices that are out of date", async () => {
  const path = join(folder, "mine.json");
  const mine = {
    name: "mine",
    kind: "gb-second",
    currency: "EUR",
    validFrom: "2020-01-01",
    validUntil: "2020-12-31",
    source: "an offer",
    perGbS: 0.00001,
    perCall: 0.000001,
    granularityMs: { cpu: 100 },
  };
  writeFileSync(path, JSON.stringify(mine));
  const load = ["--duration", "0.12", "--batch", "4", "--rate", "40", "--hours", "1"];
  const { status, stdout, stderr } = await prices(
    "--sheet",
    path,
    "--functions",
    "f=1x2048",
    ...load,
    "--json",
  );
  expect(status).toBe(0);
  expect(stderr).toBe("spillway: price sheet mine was valid until 2020-12-31; prices may have changed\n");
  expect(JSON.parse(stdout)).toEqual({
    sheet: "mine",
    currency: "EUR",
    durationMs: 120,
    batch: 4,
    month: { calls: 36_000, hours: 1 },
    functions: [
      {
        name: "f",
        size: { vcpu: 1, memoryMib: 2_048 },
        billedMs: 200,
        perCall: 0.000005,
        perRequest: 0.00000125,
        perMillionRequests: 1.25,
        perMonth: 0.18,
      },
    ],
  });
});

it("reports each problem of a file on a line of its own, with status 2", async () => {
  const path = join(folder, "wrong.json");
  writeFileSync(path, JSON.stringify({ kind: "gb-second", perGbS: -1 }));
  const { status, stderr } = await prices("--sheet", path);
  expect(status).toBe(2);
  expect(stderr).toContain(`wrong.json: perGbS is -1; allowed: a number of at least 0\n`);
});

it.each([
  [
    { sheet: "cheap" },
    /no price sheet "cheap"; allowed: alibaba-fc-cn-2026, .*, or the path of a \.json file/,
  ],
  [{ sheet: "/no/such/sheet.json" }, /sheet\.json: no such file/],
  [{ duration: 1 }, /--sheet is missing/],
  [{ sheet, batch: 2 }, /--batch needs --duration: the time of a call/],
  [{ sheet, duration: 1, gpu: { card: "titan", memoryGib: 8 } }, /no GPU card "titan"; known: tesla/],
  [{ sheet, duration: 1, rate: 2 }, /--hours is missing/],
  [{ sheet, duration: 1, hours: 2 }, /--hours needs --calls or --rate/],
  [{ sheet, duration: 1, rate: 2, hours: 2, calls: 2 }, /--rate and --calls both set the calls of a month/],
])("refuses %j", async (options, message) => {
  const built = new URL("../../dist/cli/prices.js", import.meta.url).href;
  const { runPrices } = (await import(built)) as { runPrices(options: object): Promise<number> };
  await expect(runPrices({ json: false, ...options })).rejects.toThrow(message);
});
