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
  load: z
    .string()
    .min(1)
    .optional()
    .describe("models to load at the start, with commas between; others can be loaded later (default: all)"),
  replicas: z.number().int().min(1).max(64).default(1).describe("processes for each model"),
  threads: z
    .number()
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe("threads that one run of a model uses (default: the cores divided by the replicas)"),
  maxBodyMib: z.number().positive().max(2_048).default(64).describe("largest request body taken, in MiB"),
  maxBatchRows: z
    .number()
    .int()
    .min(1)
    .max(4_096)
    .default(32)
    .describe("most rows of different requests that run together; a request with more runs alone"),
  maxQueueRows: z
    .number()
    .int()
    .min(1)
    .default(1_024)
    .describe("most rows that wait for one model; more are refused with 503 and Retry-After"),
  maxQueueMib: z
    .number()
    .positive()
    .default(256)
    .describe("most input data that waits for one model, in MiB; more is refused likewise"),
  balance: z
    .enum(["least-work", "round-robin"])
    .default("least-work")
    .describe("which free replica gets a batch: least-work takes the first, round-robin the next in turn"),
  runTimeout: z
    .number()
    .positive()
    .max(3_600)
    .default(30)
    .describe("longest time one batch may run, in seconds from its start; then its replica is killed"),
  hangFactor: z
    .number()
    .min(1)
    .default(10)
    .describe("a batch may run so many times what recent ones of its size took; then its replica is killed"),
  hangFloor: z
    .number()
    .positive()
    .max(3_600)
    .default(2)
    .describe("time that a batch may run in any case, in seconds from its start"),
  lameDuck: z
    .number()
    .min(0)
    .max(3_600)
    .default(0)
    .describe(
      "after SIGINT or SIGTERM: how long to serve on while saying not ready, in seconds, for balancers that poll",
    ),
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
