/** The options of the function host. */
import { z } from "zod";
import { stateField } from "../../base/access/access-options.ts";
import { positive, priceSheet, whole } from "../../base/program/option-fields.ts";
import { maxConcurrency, maxTimeoutS, triggerAuths } from "../prices/fc-limits.ts";
import { defaultFunctions, functionMenu } from "../prices/function-menu.ts";
import type { ColdStart } from "./instances/cold-start.ts";
import { defaultScaling } from "./instances/scaling.ts";

/** `MS`, or `MEDIAN,P99`. */
const coldStartText = z.string().transform((given, context): ColdStart => {
  const parts = given.split(",");
  const [medianMs = Number.NaN, p99Ms = medianMs] = parts.map((part) => Number(part.trim() || "none"));
  const constant = parts.length === 1 && medianMs >= 0;
  if ((constant || (parts.length === 2 && medianMs > 0 && p99Ms >= medianMs)) && p99Ms <= 600_000) {
    return { medianMs, p99Ms };
  }
  context.addIssue("MS, or MEDIAN,P99 with 0 < MEDIAN <= P99; at most 600000 ms");
  return z.NEVER;
});

export const functionHostOptions = z.strictObject({
  host: z.string().default("127.0.0.1").describe("address to listen on"),
  port: whole(0, 65_535).default(9_000).describe("port to listen on; 0 takes a free one"),
  functions: functionMenu.prefault(defaultFunctions).describe("functions to run: NAME=VCPUxMIB,..."),
  functionTimeout: positive(maxTimeoutS.call).default(60).describe("longest time of one call, in seconds"),
  maxInstances: whole(1, 64)
    .default(4)
    .describe("most function processes at a time; calls that need more are throttled (429)"),
  idle: positive(86_400)
    .default(180)
    .describe("time without a call after which an instance is stopped, in seconds"),
  instanceConcurrency: whole(1, maxConcurrency)
    .default(1)
    .describe("most calls that one instance runs at a time; its busy time is billed once for all of them"),
  burst: whole(1, 100_000)
    .default(defaultScaling.burst)
    .describe("instances that may start at once; calls that need more are throttled (429)"),
  growth: z
    .number()
    .min(0)
    .max(100_000)
    .default(defaultScaling.growthPerMin)
    .describe("instances that may start per minute beyond the burst"),
  coldStart: coldStartText
    .optional()
    .describe(
      "milliseconds added to the start of each process: one number, or the median and 99th percentile of a lognormal distribution, such as 300,1200",
    ),
  seed: whole(0, 0xffff_ffff).default(1).describe("seed of what is drawn for cold starts"),
  cgroups: z
    .enum(["auto", "on", "off"])
    .default("auto")
    .describe("bound each instance's vCPU and memory by Linux control groups; auto: where that is possible"),
  trigger: z
    .enum([...triggerAuths, "none"])
    .default("anonymous")
    .describe(
      "who may call functions through HTTP triggers at /trigger/NAME/: anybody, key holders, or nobody",
    ),
  adminToken: z
    .string()
    .min(16)
    .optional()
    .describe(
      "bearer token for /admin and secret of the access key admin; programs on this machine then need it too" +
        " (default: one in the state folder, which others need)",
    ),
  state: stateField,
  models: z
    .string()
    .optional()
    .describe("model repository: a folder of NAME/VERSION/model.onnx; without it the embedded OCR models"),
  prices: priceSheet.describe("price sheet: a name, or the path of a JSON file"),
});

export type FunctionHostProgramOptions = z.output<typeof functionHostOptions>;
