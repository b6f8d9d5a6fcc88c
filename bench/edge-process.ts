/** The server of `bench/edge.ts`, in its own process: `ocr-cls`, a no-op model, and a bare route. */
import { createAdaptorServer } from "@hono/node-server";
import { fileURLToPath } from "node:url";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { createEdgeApp } from "../edge/server/app.ts";
import type { ModelFile } from "../edge/models/model-runner.ts";
import { ReplicaPool } from "../edge/replicas/replica-pool.ts";
import { embeddedModels } from "../edge/models/repository.ts";

const noOp = { name: "no-op", version: "1", path: fileURLToPath(new URL("no-op-model.js", import.meta.url)) };
const log = pino({ level: "silent" });
const pools = [embeddedModels()[0] as ModelFile, noOp].map(
  (model) =>
    new ReplicaPool({
      model,
      replicas: 1,
      threads: 1,
      balance: "least-work",
      maxBatchRows: 32,
      maxQueueRows: 1_024,
      maxQueueBytes: 2 ** 28,
      entry: new URL("../edge/replicas/replica-process.js", import.meta.url),
      loadTimeoutMs: 60_000,
      pingMs: 5_000,
      runTimeoutMs: 30_000,
      log,
    }),
);
await Promise.all(pools.map((pool) => pool.ready()));
const app = createEdgeApp({ models: pools, log, maxBodyBytes: 2 ** 26 });
app.post("/bare", async (context) => context.body(await context.req.arrayBuffer()));

const server = createAdaptorServer({ fetch: app.fetch });
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit(0));
