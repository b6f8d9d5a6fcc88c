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
  wait: z
    .boolean()
    .default(true)
    .describe(
      "be up only when every model is loaded, and end when one cannot be; false: serve what is loaded while the rest loads",
    ),
  adminToken: z
    .string()
    .min(16)
    .optional()
    .describe("bearer token for /admin and to load models (default: only programs on this machine may)"),
  modelHosts: z
    .string()
    .default("")
    .describe("hosts from which models may be loaded although they are private or without TLS, by comma"),
  maxModelMib: z
    .number()
    .positive()
    .max(65_536)
    .default(2_048)
    .describe("largest model that is loaded from a zip, in MiB, packed and unpacked"),
});

export type EdgeOptions = z.output<typeof edgeOptions>;
