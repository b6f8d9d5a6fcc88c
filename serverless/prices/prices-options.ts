/** The options of the command `prices`. */
import { z } from "zod";
import { defaultFunctions, functionGpu, functionMenu } from "./function-menu.ts";

export const pricesOptions = z.strictObject({
  sheet: z
    .string()
    .min(1)
    .optional()
    .describe(
      "price sheet: a name, or the path of a JSON file; without it the sheets that come with the program",
    ),
  functions: functionMenu
    .optional()
    .describe(`functions to price: NAME=VCPUxMIB,... (default: ${defaultFunctions})`),
  gpu: functionGpu
    .optional()
    .describe("GPU of every function: a card that the sheet prices, and its memory in GiB, such as ada:16"),
  duration: z.number().min(0).max(86_400).optional().describe("time of one call, in seconds"),
  batch: z.number().int().min(1).optional().describe("requests that one call takes (default: 1)"),
  calls: z.number().min(0).optional().describe("calls of a month, to price the month too"),
  rate: z.number().positive().optional().describe("requests a second, in place of --calls, over --hours"),
  hours: z
    .number()
    .positive()
    .max(744)
    .optional()
    .describe(
      "hours of the month in which the function is called; without it the least price of an hour is left out",
    ),
  json: z.boolean().default(false).describe("print one JSON document on stdout"),
});

export type PricesOptions = z.output<typeof pricesOptions>;
