/** Writes `docs/reference/prices.md` from the price sheets and their fields. Run `node dist/docs/write-prices.js` after a build. */
import { writeFileSync } from "node:fs";
import type { PriceSheet } from "../serverless/prices/price.ts";
import { readShippedSheets } from "../serverless/prices/price-sheet-files.ts";
import { sheetFields } from "../serverless/prices/price-sheet.ts";
import { plainNumber } from "../serverless/prices/price-table.ts";
import { wrapProse } from "./prose.ts";

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

A price sheet is dated and names its source, because prices change; check yours before you rely on a
bill. \`--prices\` of \`vqueue\`, \`function-host\` and \`profile\`, and \`prices\` of a scenario, take
the name of a sheet or the path of a file of your own.

\`\`\`sh
npx spillway prices
npx spillway prices --sheet alibaba-fc-cn-2026 --functions small=0.5x1024,large=2x4096 --duration 0.1 --batch 8
npx spillway prices --sheet alibaba-fc-cn-2026 --functions only=1x2048 --duration 0.2 --calls 1000000000
npx spillway prices --sheet alibaba-fc-cn-2026 --gpu ada:16 --duration 0.051 --rate 100 --hours 720 --json
\`\`\`

The first command lists the sheets. The others price calls that take \`--duration\` seconds and serve
\`--batch\` requests each: a call, a request, and a million requests. With \`--calls\`, or with \`--rate\`
(requests a second) over \`--hours\`, they also price a month in which that function takes all calls.

## Sheets that come with the program

| sheet | currency | valid from | price | rounded up to | source |
|---|---|---|---|---|---|
${readShippedSheets().map(sheetRow).join("\n")}

## How a bill is made

- **A call**: its time is rounded up; on Lambda after its cold start was added. A sheet of the kind
  \`cu\` charges CU for the call and for each second of vCPU, memory and GPU memory; one of the kind
  \`gb-second\` has a price for the call and one for each second of memory. Every decision uses this
  price, at the first tier.
- **A month**: all functions together climb the tiers. Calls that overlap on an instance share its
  time: a billion calls of 20 s at 100 at a time are 200 million seconds, which at 1 vCPU and 2 GiB
  are 267.5 million CU, or CNY 28,750.
- **An hour**, on the Chinese site: the CU of a function that was called are rounded up to whole ones,
  and cost at least CNY 0.01. \`--hours\` includes that, with the calls spread evenly; the
  international site's rule is not known.
- **Left out**: free quotas and trials, disk, traffic, logs, reserved and idle instances, the
  promotions of Alibaba.

## A sheet of your own

A JSON file, such as \`my.json\`, given by its path. An unknown, missing or out-of-range field is
refused with the file, the field, its value and what is allowed.

| field | meaning | required |
|---|---|---|
${fieldRows("cu")}

A sheet of the kind \`gb-second\` has these fields in place of those with CU:

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
writeFileSync(new URL("../../docs/reference/prices.md", import.meta.url), wrapProse(page));
