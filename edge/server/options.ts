/** The options of the edge server. */
import { z } from "zod";
import { accessFields } from "../../base/access/access-options.ts";
import { joinFields } from "../../base/nats/join-fields.ts";
import { supportPrograms } from "../support/support-options.ts";
import { memorySize } from "../memory/memory-size.ts";
import { grpcPort, port, positive, whole } from "../../base/program/option-fields.ts";

const text = z.string();
const { joinMib: _ofDaemons, ...ownJoinFields } = joinFields;

export const edgeOptions = z.strictObject({
  host: text.default("127.0.0.1").describe("address to listen on; 0.0.0.0 opens the server to the network"),
  port: port.default(8_000).describe("port to listen on; 0 takes a free one"),
  grpcPort,
  models: text
    .optional()
    .describe("model repository: a folder of NAME/VERSION/model.onnx; without it the embedded OCR models"),
  load: text
    .min(1)
    .optional()
    .describe("models to load at the start, with commas between; others can be loaded later (default: all)"),
  replicas: whole(1, 64).default(1).describe("processes for each model"),
  threads: whole(1, 256)
    .optional()
    .describe("threads that one run of a model uses (default: the cores divided by the replicas)"),
  maxBodyMib: positive(2_048).default(64).describe("largest request body, in MiB"),
  maxBatchRows: whole(1, 4_096)
    .default(32)
    .describe("most rows of different requests that run together; a request with more runs alone"),
  maxQueueRows: whole(1)
    .default(1_024)
    .describe("most rows that wait for one model; more are refused with 503 and Retry-After"),
  maxQueueMib: positive()
    .default(256)
    .describe("most input data that waits for one model, in MiB; see above"),
  maxQueueMs: positive(3_600_000)
    .default(30_000)
    .describe(
      "longest time that what waits for one model may take at its recent rate, in milliseconds; more is refused",
    ),
  balance: z
    .enum(["least-work", "round-robin"])
    .default("least-work")
    .describe("which free replica gets a batch: least-work takes the first, round-robin the next in turn"),
  runTimeout: positive(3_600)
    .default(30)
    .describe("longest time one batch may run, in seconds from its start; then its replica is killed"),
  lameDuck: z
    .number()
    .min(0)
    .max(3_600)
    .default(0)
    .describe("seconds to serve on, saying not ready, after SIGINT or SIGTERM, for balancers that poll"),
  wait: z
    .boolean()
    .default(true)
    .describe(
      "be up when every model is loaded or has failed; false: serve what is loaded while the rest loads",
    ),
  modelMemory: memorySize
    .optional()
    .describe(
      "memory that models may take together, such as 4GiB: they are loaded by their first requests, and the least recently used make room (default: all are loaded)",
    ),
  strict: z
    .boolean()
    .default(false)
    .describe("end when a model cannot be loaded at the start, instead of serving the others"),
  support: supportPrograms
    .optional()
    .describe(
      "programs of yours that run beside the models, in --config a list of { name, command, everyS, env, folder }, here as JSON; they end with the server",
    ),
  ...accessFields,
  ...ownJoinFields,
  joinModels: text
    .default("")
    .describe(
      "models that are installed from the object store of the server of --join, with commas between; * for all",
    ),
  modelHosts: text
    .default("")
    .describe("hosts, with commas between, from which models may be loaded although private or without TLS"),
  maxModelMib: positive(65_536)
    .default(2_048)
    .describe("largest model that is loaded from a zip, in MiB, packed and unpacked"),
});

export type EdgeOptions = z.output<typeof edgeOptions>;
