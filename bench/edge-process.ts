/** The server of `bench/edge.ts`, in its own process: `ocr-cls`, a no-op model, and a bare route. */
import { createAdaptorServer } from "@hono/node-server";
import { fileURLToPath } from "node:url";
import type { AddressInfo } from "node:net";
import { createEdgeApp } from "../edge/server/app.ts";
import type { ModelFile } from "../edge/models/model-runner.ts";
import { embeddedModels } from "../edge/models/repository.ts";
import { benchPool, silent } from "./bench-pool.ts";

const noOp = { name: "no-op", version: "1", path: fileURLToPath(new URL("no-op-model.js", import.meta.url)) };
const pools = [embeddedModels()[0] as ModelFile, noOp].map(benchPool);
await Promise.all(pools.map((pool) => pool.ready()));
const app = createEdgeApp({ models: pools, log: silent, maxBodyBytes: 2 ** 26 });
app.post("/bare", async (context) => context.body(await context.req.arrayBuffer()));

const server = createAdaptorServer({ fetch: app.fetch });
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit(0));
