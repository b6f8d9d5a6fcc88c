/** The options of `profile`, each with its meaning, unit, range and default. */
import { z } from "zod";
import {
  flag,
  optionalText,
  positive,
  priceSheet,
  serverOrGrpcUrl,
  text,
} from "../../base/program/option-fields.ts";
import { edgeAddress } from "../../client/daemon/edge-address.ts";
import { payload } from "../load/options.ts";
import { functionMenu } from "../../serverless/prices/function-menu.ts";

export const profileOptions = z.strictObject({
  url: serverOrGrpcUrl
    .optional()
    .describe("the V2 server to measure: an edge, a function, Triton, KServe, ...; or several with --edge"),
  edge: z
    .array(edgeAddress)
    .min(1)
    .optional()
    .describe("in place of --url, edges to measure one after another, as vqueue has them: URL or NAME=URL"),
  model: text.describe("name of the model"),
  batches: z
    .string()
    .regex(
      /^\s*[1-9]\d{0,5}\s*(,\s*[1-9]\d{0,5}\s*)*$/,
      "rows with commas between, each 1 to 999999, such as 1,2,4",
    )
    .default("1,2,4,8,16,32,64")
    .describe("rows of the batches to measure, with commas between"),
  quantile: z
    .number()
    .min(0.5)
    .max(0.999)
    .default(0.99)
    .describe("quantile of the service time to determine; it sets how often each batch is repeated"),
  seconds: positive(86_400)
    .default(60)
    .describe("longest time for measuring a server, in seconds; what is missing then is printed"),
  ...payload,
  function: functionMenu
    .optional()
    .describe("the server at --url is this function, NAME=VCPUxMIB (default: the edge)"),
  save: optionalText.describe("profile file for vqueue --profile; other targets and models in it are kept"),
  scenario: optionalText.describe(
    "file for a scenario with the profile's edges and functions, for replay --scenario",
  ),
  functions: functionMenu
    .optional()
    .describe(
      "further functions of the scenario, NAME=VCPUxMIB,...; their times follow from the edge's and their vCPU",
    ),
  prices: priceSheet.describe("price sheet of the scenario: a name, or the path of a JSON file"),
  slo: positive(86_400)
    .default(1)
    .describe("SLO of the scenario: longest time from a request's arrival to its answer, in seconds"),
  json: flag.describe("print the result as one JSON document on stdout"),
});

export type ProfileOptions = z.output<typeof profileOptions>;
