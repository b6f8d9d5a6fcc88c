/** The price sheets that come with the program, read from the source, by name. */
import { readFileSync } from "node:fs";
import { checkPriceSheet } from "../../serverless/prices/price-sheet.ts";
import type { PriceSheet } from "../../serverless/prices/price.ts";

const folder = new URL("../../serverless/prices/", import.meta.url);

export function shippedSheet(name: string): PriceSheet {
  return checkPriceSheet(JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")), name);
}
