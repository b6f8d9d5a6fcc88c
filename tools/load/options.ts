/** The options of the load generator, each with its meaning, unit, range and default. */
import { z } from "zod";
import { payloadFields } from "../../client/daemon/profile/payload/payload-fields.ts";
import { flag, optionalText, positive, seed, serverUrl, whole } from "../../base/program/option-fields.ts";
import { inputShapes } from "./input-shapes.ts";

/** The options of what is sent; `profile` has them, too. */
export const payload = {
  ...payloadFields,
  shapes: inputShapes
    .optional()
    .describe("shapes of one row for inputs whose shapes the model leaves open: NAME=1xSIZExSIZE,..."),
  auth: z
    .enum(["none", "bearer"])
    .default("none")
    .describe("how requests prove who sends them; bearer: by the API key in EDGE_BEARER_TOKEN"),
  seed: seed.describe("seed of the generated moments, texts and pictures"),
};

const payloadOptions = z.strictObject(payload);
export type PayloadOptions = z.output<typeof payloadOptions>;

export const loadgenOptions = z.strictObject({
  url: serverUrl.optional().describe("the V2 server: an edge, the queue, Triton, KServe, ..."),
  model: optionalText.describe("name of the model"),
  rate: positive(1_000_000)
    .optional()
    .describe("open loop: requests a second, sent on schedule whether or not earlier ones are answered"),
  arrivals: z
    .enum(["poisson", "constant"])
    .default("poisson")
    .describe("gaps of an open loop: random, as from independent callers, or all equal"),
  trace: optionalText.describe(
    "open loop from a file: a CSV of arrival times, in any form that replay reads",
  ),
  concurrency: whole(1, 10_000)
    .optional()
    .describe("closed loop: number of callers, each of which sends again as soon as it is answered"),
  requests: whole(1).optional().describe("most requests (default: limited by time only)"),
  seconds: positive(86_400)
    .optional()
    .describe("how long requests are sent, in seconds (default: 10; no limit with --requests or --trace)"),
  ...payload,
  quantile: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.99)
    .describe("quantile of the latency that the run is to determine; the verdict says whether it does"),
  histogram: optionalText.describe(
    "file for the latencies: HdrHistogram's table, or JSON if the name ends in .json",
  ),
  calibrate: flag.describe(
    "measure the generator itself against a server that does nothing, and print its limits",
  ),
  json: flag.describe("print the result as one JSON document on stdout"),
});

export type LoadgenOptions = z.output<typeof loadgenOptions>;
