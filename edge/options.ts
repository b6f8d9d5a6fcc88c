/** The options of the edge server, each with its meaning, unit, range and default. */
import { z } from "zod";

export const edgeOptions = z.strictObject({
  host: z
    .string()
    .default("127.0.0.1")
    .describe("address to listen on; 0.0.0.0 opens the server to the network"),
  port: z.number().int().min(0).max(65_535).default(8_000).describe("port to listen on; 0 takes a free one"),
  models: z
    .string()
    .optional()
    .describe("model repository: a folder of NAME/VERSION/model.onnx; without it the embedded OCR models"),
  replicas: z.number().int().min(1).max(64).default(1).describe("processes for each model"),
  threads: z
    .number()
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe("threads that one run of a model uses (default: the cores divided by the replicas)"),
  maxBodyMib: z.number().positive().max(2_048).default(64).describe("largest request body taken, in MiB"),
  maxWaiting: z
    .number()
    .int()
    .min(1)
    .default(64)
    .describe("most batches that wait for a replica of one model; more are refused with 503"),
  runTimeout: z
    .number()
    .positive()
    .max(3_600)
    .default(30)
    .describe("longest time one batch may run, in seconds from its start; then its replica is killed"),
});

export type EdgeOptions = z.output<typeof edgeOptions>;
