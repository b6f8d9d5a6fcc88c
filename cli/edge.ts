/** Wires the edge server. */
import { createEdgeServer } from "../edge/edge-server.ts";
import type { EdgeOptions } from "../edge/options.ts";
import { createLog, type LogOptions } from "./log.ts";
import { UsageError } from "./options.ts";
import { serve } from "./serve.ts";

export async function runEdge(options: EdgeOptions & LogOptions): Promise<number> {
  const log = createLog("edge", options);
  const server = await createEdgeServer(options, log).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  return serve(server, options.host, options.port, log);
}
