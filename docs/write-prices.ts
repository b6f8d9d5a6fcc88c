/** Writes `docs/prices.md` from the price sheets and their fields. Run `node dist/docs/write-prices.js` after a build. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { PriceSheet } from "../serverless/prices/price.ts";
import { checkPriceSheet, sheetFields } from "../serverless/prices/price-sheet.ts";
import { plainNumber } from "../serverless/prices/price-table.ts";

const folder = new URL("../../serverless/prices/", import.meta.url);
const sheets = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => checkPriceSheet(JSON.parse(readFileSync(new URL(file, folder), "utf8")), file))
  .sort((a, b) => (a.name < b.name ? -1 : 1));

function sheetRow(sheet: PriceSheet): string {
  const { name, currency, validFrom, granularityMs, tiers = [], source } = sheet;
  const [first, unit] = sheet.kind === "cu" ? [sheet.perCu, "CU"] : [sheet.perGbS, "GB-s"];
  const prices = [`${plainNumber(first)} a ${unit}`];
  for (const { above, price } of tiers)
    prices.push(`${plainNumber(price)} above ${plainNumber(above / 1e6)} M`);
  const { cpu, gpu } = granularityMs;
  const rounding = `${cpu} ms${gpu === undefined ? "" : `, GPU ${gpu} ms`}`;
  return `| \`${name}\` | ${currency} | ${validFrom} | ${prices.join("; ")} | ${rounding} | ${source} |`;
}

function fieldRows(kind: PriceSheet["kind"]): string {
  return sheetFields(kind)
    .filter(
      ({ name }) =>
        name === "kind" || kind === "cu" || !sheetFields("cu").some((field) => field.name === name),
    )
    .map(({ name, meaning, optional }) => {
      const value = name === "kind" ? `\`"${kind}"\`: ` : "";
      return `| \`${name}\` | ${value}${meaning} | ${optional ? "" : "yes"} |`;
    })
    .join("\n");
}

const page = `# Prices

A price sheet is dated and names its source, because prices change; check yours before you rely on a bill. \`--prices\` of
\`vqueue\`, \`functions\` and \`profile\`, and \`prices\` of a scenario, take a sheet's name or the path of a file of your own.

\`\`\`sh
npx spillway prices
npx spillway prices --sheet alibaba-fc-cn-2026 --functions small=0.5x1024,large=2x4096 --duration 0.1 --batch 8
npx spillway prices --sheet alibaba-fc-cn-2026 --vcpu 1 --memory 2048 --duration 0.2 --calls 1000000000
npx spillway prices --sheet alibaba-fc-cn-2026 --gpu ada:16 --duration 0.051 --rate 100 --hours 720 --json
\`\`\`

The first lists the sheets. The others price calls of a function that take \`--duration\` seconds and \`--batch\` requests each:
a call, a request, a million requests, and, with \`--calls\` or with \`--rate\` (requests a second) over \`--hours\`, a month in which
that function takes all of them.

## Sheets that come with the program

| sheet | currency | valid from | price | rounded up to | source |
|---|---|---|---|---|---|
${sheets.map(sheetRow).join("\n")}

## How a bill comes about

- **A call**: its time is rounded up; on Lambda after its cold start was added. A sheet of the kind \`cu\` charges CU for the
  call and for each second of vCPU, memory and GPU memory; one of the kind \`gb-second\` a price for the call and
  one for each second of memory. Every decision goes by this, at the first tier.
- **A month**: all functions together climb the tiers. Calls that an instance runs at one time share it: a billion calls of
  20 s at 100 at a time are 200 million seconds, which at 1 vCPU and 2 GiB are 267.5 million CU, or CNY 28,750.
- **An hour**, on the Chinese site: a function that was called has its CU rounded up to whole ones and costs CNY 0.01 or more.
  \`--hours\` takes that in, with the calls even over them; the international site's rule is not known.
- **Left out**: free quotas and trials, disk, traffic, logs, reserved and idle instances, the promotions of Alibaba.

## A sheet of your own

A JSON file, \`my.json\`, given by its path. A field that is not known, missing or out of its range is refused with the file, the
field, its value and what is allowed.

| field | meaning | required |
|---|---|---|
${fieldRows("cu")}

A sheet of the kind \`gb-second\` has these in place of those with CU:

| field | meaning | required |
|---|---|---|
${fieldRows("gb-second")}

\`\`\`json
{
  "name": "ours",
  "kind": "gb-second",
  "currency": "EUR",
  "validFrom": "2026-01-01",
  "validUntil": "2099-12-31",
  "source": "contract of 2026",
  "perGbS": 0.00001,
  "perCall": 0.0000001,
  "granularityMs": { "cpu": 100 }
}
\`\`\`
`;
writeFileSync(new URL("../../docs/prices.md", import.meta.url), page);
