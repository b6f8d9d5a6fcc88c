/** Wires the edge server. */
import { createEdgeServer, type EdgeServer } from "../edge/edge-server.ts";
import type { EdgeOptions } from "../edge/options.ts";
import { createLog, type LogOptions } from "./log.ts";
import { throwUsage } from "./options.ts";
import { serve } from "./serve.ts";

export async function runEdge(options: EdgeOptions & LogOptions): Promise<number> {
  const log = createLog("edge", options);
  let server: EdgeServer;
  try {
    server = createEdgeServer(options, log, () => process.kill(process.pid, "SIGTERM"));
  } catch (error) {
    throwUsage(error);
  }
  const ready = async (): Promise<void> => {
    const loaded = server.ready();
    if (options.wait) await loaded.catch(throwUsage);
    else loaded.catch((error: Error) => log.error({ error: error.message }, "model not loaded"));
  };
  return serve({ ...server, ready }, options.host, options.port, log);
}
