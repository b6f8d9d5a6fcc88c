/** A route that reads a body and answers, in its own process: what Node and the router take by themselves. */
import { fork } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import type { StartedProgram } from "./program.ts";

export async function bareRoute(): Promise<StartedProgram> {
  const child = fork(fileURLToPath(import.meta.url), ["serve"]);
  const [port] = (await once(child, "message")) as [number];
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      child.disconnect();
      await once(child, "exit");
    },
  };
}

if (process.argv[2] === "serve" && process.send !== undefined) {
  const app = new Hono();
  app.post("*", async (context) => {
    await context.req.arrayBuffer();
    return context.json({ model_name: "bare", outputs: [] });
  });
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.on("disconnect", () => process.exit(0));
}
