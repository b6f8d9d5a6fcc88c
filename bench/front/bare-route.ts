/** A route that reads a body and answers, in its own process: what Node's HTTP server takes by itself. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { StartedProgram } from "./program.ts";

export async function bareRoute(): Promise<StartedProgram> {
  const child = fork(fileURLToPath(import.meta.url), ["serve"]);
  const [port] = (await once(child, "message")) as [number];
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    stop: async () => {
      child.disconnect();
      await once(child, "exit");
    },
  };
}

if (process.argv[2] === "serve" && process.send !== undefined) {
  const answer = JSON.stringify({ model_name: "bare", outputs: [] });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(answer) };
  const server = createServer((request, response) => {
    request.on("data", () => {}).on("end", () => response.writeHead(200, headers).end(answer));
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.on("disconnect", () => process.exit(0));
}
