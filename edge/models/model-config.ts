/** The settings in the `config.yaml` of a model. */
import { z } from "zod";
import { pipelineConfig } from "../vision/pipelines/pipeline-config.ts";
import { tensorrtConfig } from "../runtime/tensorrt-config.ts";
import { parseSettings } from "./parse-settings.ts";

/** The names of ONNX Runtime for Node. Which of them work depends on the platform and on what is installed. */
const providerNames = ["cpu", "cuda", "tensorrt", "webgpu", "dml", "coreml", "qnn"] as const;

const count = (most: number) => z.number().int().min(1).max(most).optional();
const flag = z.boolean().default(false);
const variables = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string());
const cores = z.string().regex(/^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$/, "allowed: cores such as 0,2-3");
const shapesByInput = z.record(z.string(), z.array(z.number().int().min(1)).max(32));

export const modelConfig = z.strictObject({
  replicas: count(64).describe("processes that hold this model (default: --replicas of the server)"),
  threads: count(256).describe("threads that one run uses (default: --threads of the server)"),
  executionProviders: z
    .array(z.enum(providerNames))
    .min(1)
    .default(["cpu"])
    .describe("what runs the model, the preferred first; a missing one is an error when the model is loaded"),
  providerFallback: flag.describe("leave out missing execution providers, down to the CPU, and report it"),
  runtimeLibrary: z
    .string()
    .regex(/^\/./, "allowed: an absolute path of a folder")
    .optional()
    .describe(
      "folder with another build of libonnxruntime.so.1, of the same release as onnxruntime-node, that replicas are started with " +
        "(Linux); an onnxruntime_binding.node in it takes the place of the package's",
    ),
  tensorrt: tensorrtConfig
    .optional()
    .describe(
      "settings of the provider tensorrt: engineCache (absolute path of a folder for built engines), fp16 (true or false), " +
        "workspaceMib; they need a binding that passes them on",
    ),
  maxBatchRows: count(65_536).describe("most rows of one run; a request with more is refused"),
  joinRows: z
    .boolean()
    .optional()
    .describe("whether rows of several requests may run together (default: the server proves it)"),
  joinTolerance: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      "largest difference of an answer in company that is taken for rounding, as a part of the output's largest magnitude " +
        "(default: 0.005; 0.05 for a model that quantises dynamically)",
    ),
  warmUp: z
    .array(shapesByInput)
    .max(64)
    .default([])
    .describe("runs on zeros before a replica is ready: for each the shape of every input by its name"),
  labels: z
    .union([z.string().min(1), z.array(z.string())])
    .optional()
    .describe(
      "names of the classes in the order of the output: a list, or a file beside this one (lines, numbered lines, JSON or YAML; " +
        "default: those in the model's file)",
    ),
  cpuAffinity: z
    .union([cores, z.array(cores).min(1)])
    .optional()
    .describe("cores that replicas run on, such as 0,2-3 (Linux, taskset); of a list, replicas take turns"),
  env: z
    .union([variables, z.array(variables).min(1)])
    .optional()
    .describe("environment variables of replicas; of a list of sets, replicas take turns"),
  handler: z
    .enum(["image-classification", "object-detection", "text-detection", "text-recognition"])
    .optional()
    .describe("built-in handler for what clients send (default: handler.js or .ts beside the model)"),
  settings: z
    .record(z.string(), z.json())
    .default({})
    .describe("settings of the handler; docs/guide/handlers.md has those of the built-in ones"),
  pipeline: pipelineConfig
    .optional()
    .describe("stages of other models that a request goes through; such a model has no file of its own"),
  base: z.string().min(1).optional().describe("another model whose files this one serves under its own name"),
  pinned: z
    .boolean()
    .optional()
    .describe("stay in memory, and be loaded at the start, where the server has --model-memory"),
  default: flag.describe("answer requests to /v2/infer, which name no model"),
  disabled: flag.describe("leave the model unloaded"),
});

export type ModelConfig = Readonly<z.output<typeof modelConfig>>;

/** The settings in a document from `place`, with defaults. Throws an Error with a line for each fault. */
export function readModelConfig(document: unknown, place: string): ModelConfig {
  const config = parseSettings(modelConfig, document, place);
  if (config.tensorrt !== undefined && !config.executionProviders.includes("tensorrt"))
    throw new Error(
      `${place}: tensorrt has settings, but executionProviders is ${JSON.stringify(config.executionProviders)}; ` +
        "allowed: a list with tensorrt in it",
    );
  return Object.freeze(config);
}

/** The JSON Schema of `config.yaml`, for editors. */
export function modelConfigSchema(): object {
  return { title: "Spillway model", ...z.toJSONSchema(modelConfig, { io: "input", target: "draft-7" }) };
}
