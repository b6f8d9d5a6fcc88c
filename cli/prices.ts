/** Reads price sheets: those that come with the program by name, or a user's own by path. */
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import type { PriceSheet } from "../algorithms/price.ts";
import { whyUnreadable } from "../replay/file-fault.ts";
import { UsageError } from "./options.ts";

const price = z.number().min(0);
const head = {
  name: z.string().min(1),
  currency: z.string().length(3),
  validFrom: z.iso.date(),
  source: z.string().min(1),
  granularityMs: z.strictObject({ cpu: z.number().positive(), gpu: z.number().positive().optional() }),
  coldStartBilled: z.boolean().optional(),
};
const priceSheet = z.discriminatedUnion("kind", [
  z.strictObject({
    ...head,
    kind: z.literal("cu"),
    perCu: price,
    cuPerCall: price,
    cuPerVcpuS: price,
    cuPerGibS: price,
    cuPerGpuGibS: z.record(z.string(), price).optional(),
  }),
  z.strictObject({ ...head, kind: z.literal("gb-second"), perGbS: price, perCall: price }),
]);

/**
 * @param nameOrPath `alibaba-fc-cn-2026`, or a path that ends in `.json`
 * @throws UsageError when there is no such sheet, or the file is none
 */
export function readPriceSheet(nameOrPath: string): PriceSheet {
  const isPath = nameOrPath.endsWith(".json");
  const path = isPath ? nameOrPath : new URL(`../../serverless/prices/${nameOrPath}.json`, import.meta.url);
  if (!isPath && !existsSync(path))
    throw new UsageError(`no price sheet "${nameOrPath}"; give a name or the path of a .json file`);
  try {
    return priceSheet.parse(JSON.parse(readFileSync(path, "utf8"))) as PriceSheet;
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : whyUnreadable(error);
    throw new UsageError(`${nameOrPath}: ${why}`);
  }
}
