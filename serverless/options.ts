/** The options of the local function host and of a function, each with its meaning, unit, range and default. */
import { z } from "zod";
import { functionMenu, functionSize } from "../protocol/function-menu.ts";

export const functionHostOptions = z.strictObject({
  host: z.string().default("127.0.0.1").describe("address to listen on"),
  port: z.number().int().min(0).max(65_535).default(9_000).describe("port to listen on; 0 takes a free one"),
  functions: functionMenu
    .optional()
    .describe(
      "functions of several sizes: NAME=VCPUxMIB,...; the threads of a run are its whole vCPU, 1 or more",
    ),
  function: z
    .string()
    .min(1)
    .optional()
    .describe("name under which the only function is invoked (default: spillway)"),
  memory: functionSize.memory
    .optional()
    .describe("memory of the only function that is billed, in MiB (default: 1024)"),
  vcpu: functionSize.vcpu.optional().describe("vCPU of the only function that are billed (default: 0.5)"),
  functionTimeout: z
    .number()
    .positive()
    .max(86_400)
    .default(60)
    .describe("longest time of one call, in seconds"),
  maxInstances: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe("most function processes at once; calls beyond them are throttled (429)"),
  idle: z
    .number()
    .positive()
    .max(86_400)
    .default(180)
    .describe("time without a call after which an instance is stopped, in seconds"),
  trigger: z
    .enum(["anonymous", "function", "none"])
    .default("anonymous")
    .describe(
      "who may call the functions at /trigger/NAME/…, as by an HTTP trigger: anybody, holders of the key, or nobody",
    ),
  adminToken: z
    .string()
    .min(16)
    .optional()
    .describe("bearer token for /admin (default: only programs on this machine may ask it)"),
  models: z
    .string()
    .optional()
    .describe("model repository: a folder of NAME/VERSION/model.onnx; without it the embedded OCR models"),
  prices: z
    .string()
    .default("alibaba-fc-cn-2026")
    .describe("price sheet: a name, or the path of a JSON file"),
});

export type FunctionHostProgramOptions = z.output<typeof functionHostOptions>;

export const functionOptions = z.strictObject({
  host: z.string().default("0.0.0.0").describe("address to listen on; the platform asks for 0.0.0.0"),
  models: functionHostOptions.shape.models,
  threads: z.number().int().min(1).max(256).default(1).describe("threads that one run of a model uses"),
});

export type FunctionOptions = z.output<typeof functionOptions>;

/** The port that the platform wants a function to listen on. */
export function functionPort(env: Readonly<Record<string, string | undefined>>): number {
  return Number(env["FC_SERVER_PORT"] ?? env["FC_CUSTOM_LISTEN_PORT"] ?? env["PORT"] ?? 9_000);
}
