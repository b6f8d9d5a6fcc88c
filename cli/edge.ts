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
    server = createEdgeServer(options, log);
  } catch (error) {
    throwUsage(error);
  }
  const prepare = async (stop: AbortSignal): Promise<void> => {
    const stopped = new Promise<void>((resolve) => {
      stop.addEventListener("abort", () => resolve());
    });
    await Promise.race([server.ready().catch(throwUsage), stopped]);
  };
  return serve({ ...server, prepare }, options.host, options.port, log);
}
