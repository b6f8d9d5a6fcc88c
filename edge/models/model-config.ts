/** What `config.yaml` beside a model may say: each setting with its meaning, unit, range and default. */
import { z } from "zod";
import { pipelineConfig } from "../vision/pipelines/pipeline-config.ts";

/** As ONNX Runtime for Node names them; which of them are there depends on the platform and what is installed. */
const providerNames = ["cpu", "cuda", "tensorrt", "webgpu", "dml", "coreml", "qnn"] as const;

const handlerNames = [
  "image-classification",
  "object-detection",
  "text-detection",
  "text-recognition",
] as const;

const variables = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string());
const cores = z.string().regex(/^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$/, "allowed: cores such as 0,2-3");
const sizes = z.array(z.number().int().min(1)).max(32);

export const modelConfig = z.strictObject({
  replicas: z
    .number()
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe("processes that hold this model (default: --replicas of the server)"),
  threads: z
    .number()
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe("threads that one run uses (default: --threads of the server)"),
  executionProviders: z
    .array(z.enum(providerNames))
    .min(1)
    .default(["cpu"])
    .describe("what runs the model, the preferred first; one that is not there is an error at load"),
  providerFallback: z
    .boolean()
    .default(false)
    .describe("leave out execution providers that are not there, down to the CPU, and say so"),
  maxBatchRows: z
    .number()
    .int()
    .min(1)
    .max(65_536)
    .optional()
    .describe("most rows of one run; a request of more is refused"),
  warmUp: z
    .array(z.record(z.string(), sizes))
    .max(64)
    .default([])
    .describe("runs on zeros before a replica is ready: for each the shape of every input by its name"),
  labels: z
    .union([z.string().min(1), z.array(z.string())])
    .optional()
    .describe("names of the classes in the order of the output: a list, or a file of lines beside this one"),
  cpuAffinity: z
    .union([cores, z.array(cores).min(1)])
    .optional()
    .describe(
      "cores that replicas run on, such as 0,2-3 (Linux, taskset); a list is one for each replica in turn",
    ),
  env: z
    .union([variables, z.array(variables).min(1)])
    .optional()
    .describe("environment variables of replicas; a list is one set for each replica in turn"),
  handler: z
    .enum(handlerNames)
    .optional()
    .describe(
      "built-in handler, so that clients send pictures and get answers (default: handler.js or .ts beside the model)",
    ),
  settings: z
    .record(z.string(), z.json())
    .default({})
    .describe("what the handler is told; see docs/guide/handlers.md for those of the built-in ones"),
  pipeline: pipelineConfig
    .optional()
    .describe("stages of other models that a request goes through; such a model has no file of its own"),
  base: z.string().min(1).optional().describe("another model whose files this one serves under its own name"),
  default: z.boolean().default(false).describe("answer requests to /v2/infer, which name no model"),
  disabled: z.boolean().default(false).describe("leave the model unloaded"),
});

export type ModelConfig = Readonly<z.output<typeof modelConfig>>;

/** The JSON Schema of `config.yaml`, for editors. */
export function modelConfigSchema(): object {
  return { title: "Spillway model", ...z.toJSONSchema(modelConfig, { io: "input", target: "draft-7" }) };
}
