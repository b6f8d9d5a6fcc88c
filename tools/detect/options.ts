/** The options of the change-point detector, each with its meaning, unit, range and default. */
import { z } from "zod";
import { flag } from "../../base/program/option-fields.ts";

export const detectOptions = z.strictObject({
  series: z.string().describe("CSV file with a column `value`, one line a step"),
  model: z
    .enum(["gaussian", "counts"])
    .default("counts")
    .describe(
      "gaussian: any series, standardised; counts: requests in bins of 1 s, with the queue's own detector",
    ),
  readout: z
    .enum(["map", "online"])
    .optional()
    .describe(
      "map: the most probable segments of the whole series (gaussian only);" +
        " online: the alarms as they are raised (counts only); the default is that of the model",
    ),
  hazard: z
    .number()
    .gt(1)
    .optional()
    .describe("expected number of steps between two changes (default: 100 for gaussian, 3000 for counts)"),
  json: flag.describe("print the result as one JSON document on stdout"),
});

export type DetectOptions = z.output<typeof detectOptions>;
