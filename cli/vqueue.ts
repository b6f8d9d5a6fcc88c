/** Wires the daemon: its V2 ingress on a port. */
import { openAccess } from "../base/access/access-options.ts";
import { createLog } from "../base/program/log.ts";
import type { LogOptions } from "../base/program/log-options.ts";
import type { ConfigFile } from "../base/program/options.ts";
import { serve } from "../base/program/serve.ts";
import { Jobs, jobsOptions } from "../client/daemon/ingress/jobs/jobs.ts";
import { loadJoined } from "../client/daemon/ingress/jetstream/joined-module.ts";
import { InferAnswers } from "../client/daemon/ingress/answer-infer.ts";
import { createQueueDoor } from "../client/daemon/ingress/queue-door.ts";
import { createV2Ingress } from "../client/daemon/ingress/v2.ts";
import { CodecThreads } from "../protocol/server/codec-threads.ts";
import { readRoomFor } from "../protocol/v2-http.ts";
import { openDaemon } from "../client/daemon/open-daemon.ts";
import { grpcDoor } from "./grpc-door.ts";
import type { DaemonOptions } from "../client/daemon/options.ts";
import { followList } from "../client/daemon/targets/follow-file.ts";
import { FileWatch } from "../client/daemon/targets/watch-file.ts";

/** @param file of options, whose edges are followed while the daemon runs unless others say which edges there are */
export async function runVqueue(
  options: DaemonOptions & LogOptions,
  file?: ConfigFile<DaemonOptions & LogOptions>,
): Promise<number> {
  const log = await createLog("vqueue", options, { gathers: true });
  // Without --mqtt nothing of it is loaded.
  const mqttModule =
    options.mqtt.length === 0 ? undefined : await import("../client/daemon/ingress/mqtt/open-mqtt.ts");
  mqttModule?.checkMqtt(options, process.env);
  const joinedModule = options.join.length === 0 ? undefined : await loadJoined();
  const questionsCost = options.serverless && options.functions.length > 0;
  const { gate, token, announce } = openAccess(options, log, { questionsCost });
  const codec = new CodecThreads();
  const daemon = openDaemon(options, log, codec);
  const durable = options.jobs === 0 ? undefined : joinedModule?.durableJobs({ options, daemon, codec, log });
  const jobs = durable ?? (options.jobs === 0 ? undefined : new Jobs(jobsOptions(options, daemon, codec)));
  const mqtt = mqttModule?.openMqttIngress({ options, daemon, token, env: process.env, log });
  const joined =
    joinedModule && new joinedModule.Joined({ options, daemon, codec, jobs: durable, env: process.env, log });
  const maxBodyBytes = options.maxBodyMib * 2 ** 20;
  const shared = {
    gate,
    maxBodyBytes,
    answers: new InferAnswers(daemon, codec),
    room: readRoomFor(maxBodyBytes),
    onFault: (error: Error) => log.error({ err: error }, "fault"),
  };
  const app = createV2Ingress(daemon, { ...shared, codec, jobs, more: mqtt?.routes });
  const { targets } = daemon;
  const watch =
    file?.decides("edge") === true && targets !== undefined
      ? new FileWatch(
          {
            path: file.path,
            read: () => file.read().edge,
            follow: (edges) => followList(targets, edges),
            log,
          },
          options.edge,
        )
      : undefined;
  const program = {
    app,
    hot: createQueueDoor(daemon, shared).route,
    door: grpcDoor(app, options),
    prepare: async (stop: AbortSignal, url: string) => {
      announce();
      await joined?.connect(stop);
      if (stop.aborted) return;
      await daemon.start(stop, Number(new URL(url).port || 80));
      joined?.start(app);
      watch?.start();
      if (!stop.aborted) await mqtt?.ingress.start();
    },
    close: async () => {
      watch?.stop();
      mqtt?.ingress.retire();
      jobs?.retire();
      await joined?.retire();
      await daemon.close();
      await mqtt?.ingress.close();
      await jobs?.close();
      await joined?.close();
      await codec.close();
    },
  };
  return serve(program, options.host, options.port, log);
}
