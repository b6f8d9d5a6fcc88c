/** The options of `profile`, each with its meaning, unit, range and default. */
import { z } from "zod";
import { payload } from "../load/options.ts";
import { functionMenu } from "../../serverless/prices/function-menu.ts";

export const profileOptions = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: "an http(s) URL, such as http://127.0.0.1:8000" })
    .describe("the V2 server that is measured: an edge, a function, Triton, KServe, ..."),
  model: z.string().min(1).describe("name of the model"),
  batches: z
    .string()
    .regex(/^\s*[1-9]\d{0,5}\s*(,\s*[1-9]\d{0,5}\s*)*$/, "rows with commas between, such as 1,2,4")
    .default("1,2,4,8,16,32,64")
    .describe("rows of the batches that are measured, with commas between"),
  quantile: z
    .number()
    .min(0.5)
    .max(0.999)
    .default(0.99)
    .describe("quantile of the service time that is to be known; it says how often each batch is repeated"),
  seconds: z
    .number()
    .positive()
    .max(86_400)
    .default(60)
    .describe("longest time that measuring takes, in seconds; what is not measured by then is said"),
  ...payload,
  function: functionMenu
    .optional()
    .describe("the server is this function, NAME=VCPUxMIB (default: it is the edge)"),
  save: z
    .string()
    .min(1)
    .optional()
    .describe("profile file, as vqueue --profile reads it; what it has of other targets and models is kept"),
  scenario: z
    .string()
    .min(1)
    .optional()
    .describe("file for a scenario of the profile's edge and functions, as replay --scenario reads it"),
  functions: functionMenu
    .optional()
    .describe(
      "functions of the scenario that are not in the profile, NAME=VCPUxMIB,...: as slow as their vCPU",
    ),
  prices: z
    .string()
    .default("alibaba-fc-cn-2026")
    .describe("price sheet of the scenario: a name, or the path of a JSON file"),
  slo: z
    .number()
    .positive()
    .max(86_400)
    .default(1)
    .describe("of the scenario: the longest time from a request's arrival to its answer, in seconds"),
  json: z.boolean().default(false).describe("print what was measured as one JSON document on stdout"),
});

export type ProfileOptions = z.output<typeof profileOptions>;
