/** The options of the load generator, each with its meaning, unit, range and default. */
import { z } from "zod";

/** The options of what is sent; `profile` has them, too. */
export const payload = {
  payload: z
    .enum(["tensors", "text", "images"])
    .default("tensors")
    .describe(
      "tensors: zeros in the model's shapes; text: rendered lines for OCR; images: pictures from --images",
    ),
  images: z
    .string()
    .min(1)
    .optional()
    .describe(
      "folder of JPEG, PNG and WebP files for --payload images; if it is empty, pictures are generated",
    ),
  shapes: z
    .string()
    .min(1)
    .optional()
    .describe("shapes of one row for inputs whose shapes the model leaves open: NAME=1xSIZExSIZE,..."),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe("seed of the generated moments, texts and pictures"),
};

const payloadOptions = z.strictObject(payload);
export type PayloadOptions = z.output<typeof payloadOptions>;

export const loadgenOptions = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: "an http(s) URL, such as http://127.0.0.1:8000" })
    .optional()
    .describe("the V2 server: an edge, the queue, Triton, KServe, ..."),
  model: z.string().min(1).optional().describe("name of the model"),
  rate: z
    .number()
    .positive()
    .max(1_000_000)
    .optional()
    .describe("open loop: requests a second, sent on schedule whether or not earlier ones are answered"),
  arrivals: z
    .enum(["poisson", "constant"])
    .default("poisson")
    .describe("gaps of an open loop: random, as from independent callers, or all equal"),
  trace: z
    .string()
    .min(1)
    .optional()
    .describe("open loop from a file: a CSV of arrival times, in any form that replay reads"),
  concurrency: z
    .number()
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("closed loop: number of callers, each of which sends again as soon as it is answered"),
  requests: z.number().int().min(1).optional().describe("most requests (default: limited by time only)"),
  seconds: z
    .number()
    .positive()
    .max(86_400)
    .optional()
    .describe("how long requests are sent, in seconds (default: 10; no limit with --requests or --trace)"),
  ...payload,
  quantile: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.99)
    .describe("quantile of the latency that the run is to determine; the verdict says whether it does"),
  histogram: z
    .string()
    .min(1)
    .optional()
    .describe("file for the latencies: HdrHistogram's table, or JSON if the name ends in .json"),
  calibrate: z
    .boolean()
    .default(false)
    .describe("measure the generator itself against a server that does nothing, and print its limits"),
  json: z.boolean().default(false).describe("print the result as one JSON document on stdout"),
});

export type LoadgenOptions = z.output<typeof loadgenOptions>;
