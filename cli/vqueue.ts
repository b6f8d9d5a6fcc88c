/** Wires the virtual queue's daemon: targets, policy, record and log around the queue. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Hono } from "hono";
import { callCost } from "../algorithms/price.ts";
import { createBatchLog } from "../client/batch-log.ts";
import { createDaemonApp } from "../client/daemon.ts";
import { monotonicClock } from "../client/monotonic-clock.ts";
import type { VqueueOptions } from "../client/options.ts";
import { fixedPolicy } from "../client/policies/fixed.ts";
import type { QueueEvent } from "../client/queue-event.ts";
import { createRecorder } from "../client/recorder.ts";
import { fcTransport } from "../client/targets/fc-transport.ts";
import { httpTransport } from "../client/targets/http-transport.ts";
import { modelTarget } from "../client/targets/model-target.ts";
import type { Transport } from "../client/targets/transport.ts";
import { VirtualQueue } from "../client/virtual-queue.ts";
import { functionComputeKey } from "./function-compute-key.ts";
import { createLog, type LogOptions } from "./log.ts";
import { UsageError } from "./options.ts";
import { readPriceSheet } from "./prices.ts";
import { serve } from "./serve.ts";

/** Predicted round trips before any batch was observed, in milliseconds. */
const assumedLatencyMs = { edge: 100, serverless: 200 };

export async function runVqueue(options: VqueueOptions & LogOptions): Promise<number> {
  const log = createLog("vqueue", options);
  const callTimeoutMs = options.callTimeout * 1_000;
  const edge = httpTransport({ url: options.edge, connections: options.edgeCalls });
  const functions = options.serverless ? functionTransport(options) : undefined;
  const targets = [
    modelTarget({
      name: "edge",
      kind: "edge",
      transport: edge,
      maxInFlight: options.edgeCalls,
      assumedLatencyMs: assumedLatencyMs.edge,
      callTimeoutMs,
    }),
  ];
  if (functions !== undefined) {
    targets.push(
      modelTarget({
        name: "serverless",
        kind: "serverless",
        transport: functions,
        maxInFlight: options.serverlessCalls,
        assumedLatencyMs: assumedLatencyMs.serverless,
        callTimeoutMs,
      }),
    );
  }
  const plan = {
    batchRows: [options.edgeBatch, options.serverlessBatch].slice(0, targets.length),
    timeoutMs: options.timeout * 1_000,
  };
  const limits = {
    sloMs: options.slo * 1_000,
    maxQueuedRows: options.maxRows,
    maxBytes: options.maxMib * 2 ** 20,
    maxAttempts: 5,
  };
  const record = openRecord(options.record);
  const observers = [createBatchLog(log)];
  if (record !== undefined) {
    const facts = targets.map(({ name, kind, maxInFlight, assumedLatencyMs: assumed }) => ({
      name,
      kind,
      maxInFlight,
      assumedLatencyMs: assumed,
    }));
    observers.push(
      createRecorder({ policy: { name: "fixed", ...plan }, targets: facts, ...limits }, (line) =>
        record.write(line),
      ),
    );
  }
  const queue = new VirtualQueue({
    clock: monotonicClock(),
    policy: fixedPolicy(plan),
    targets,
    ...limits,
    observe: (event: QueueEvent) => {
      for (const observer of observers) observer(event);
    },
  });
  const app: Hono = createDaemonApp({
    queue,
    models: edge,
    sloMs: limits.sloMs,
    maxBodyBytes: options.maxBodyMib * 2 ** 20,
    onFault: (error) => log.error({ err: error }, "fault"),
  });
  const close = async (): Promise<void> => {
    await new Promise<void>((drained) => queue.close(drained));
    await Promise.all([edge.close(), functions?.close()]);
    record?.close();
    log.info({ ...queue.counts }, "requests");
  };
  log.info(
    { edge: options.edge, function: functionPlace(options), sloS: options.slo, ...plan },
    "plan fixed",
  );
  return serve({ app, close }, options.host, options.port, log);
}

function functionPlace(options: VqueueOptions): string {
  if (!options.serverless) return "none";
  return options.functionUrl ?? `${options.function} at ${options.fcEndpoint}`;
}

function functionTransport(options: VqueueOptions): Transport {
  const sheet = readPriceSheet(options.prices);
  const size = { vcpu: options.vcpu, memoryMib: options.memory };
  const { functionUrl, serverlessCalls } = options;
  if (functionUrl !== undefined) {
    return httpTransport({
      url: functionUrl,
      connections: serverlessCalls,
      costOf: (durationMs) => callCost(sheet, size, durationMs).cost,
    });
  }
  const { protocol, host, hostname } = endpointOf(options.fcEndpoint);
  const isLocal = hostname === "127.0.0.1" || hostname === "localhost" || hostname === "[::1]";
  return fcTransport({
    functionName: options.function,
    endpoint: host,
    protocol,
    ...functionComputeKey(process.env, isLocal),
    maxCalls: 2 * serverlessCalls,
    costOf: (durationMs, coldStartMs) => callCost(sheet, size, durationMs, coldStartMs),
  });
}

/** A bare host name means https, as the cloud's endpoints are written without a scheme. */
function endpointOf(text: string): { protocol: "http" | "https"; host: string; hostname: string } {
  try {
    const url = new URL(text.includes("://") ? text : `https://${text}`);
    if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`scheme ${url.protocol}`);
    return { protocol: url.protocol === "http:" ? "http" : "https", host: url.host, hostname: url.hostname };
  } catch {
    throw new UsageError(`--fc-endpoint is "${text}"; allowed: a host, host:port, or an http(s) URL of one`);
  }
}

/** The record's file; lines are written at once, so a record is whole up to the moment of a crash. */
function openRecord(path: string | undefined): { write(line: string): void; close(): void } | undefined {
  if (path === undefined) return undefined;
  try {
    const file = openSync(path, "w");
    return { write: (line) => void writeSync(file, line), close: () => closeSync(file) };
  } catch (error) {
    throw new UsageError(`--record: ${(error as Error).message}`);
  }
}
