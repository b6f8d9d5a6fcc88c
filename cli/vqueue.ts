/** Wires the daemon: its V2 ingress on a port. */
import { openAccess } from "../base/access/access-options.ts";
import { createLog } from "../base/program/log.ts";
import type { LogOptions } from "../base/program/log-options.ts";
import { serve } from "../base/program/serve.ts";
import { createV2Ingress } from "../client/daemon/ingress/v2.ts";
import { openDaemon } from "../client/daemon/open-daemon.ts";
import type { DaemonOptions } from "../client/daemon/options.ts";

export async function runVqueue(options: DaemonOptions & LogOptions): Promise<number> {
  const log = createLog("vqueue", options);
  const questionsCost = options.serverless && options.functions.length > 0;
  const { gate, announce } = openAccess(options, log, { questionsCost });
  const daemon = openDaemon(options, log);
  const app = createV2Ingress(daemon, {
    gate,
    maxBodyBytes: options.maxBodyMib * 2 ** 20,
    onFault: (error) => log.error({ err: error }, "fault"),
  });
  const program = {
    app,
    prepare: (stop: AbortSignal) => {
      announce();
      return daemon.start(stop);
    },
    close: () => daemon.close(),
  };
  return serve(program, options.host, options.port, log);
}
