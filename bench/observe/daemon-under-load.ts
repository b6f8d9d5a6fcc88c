/** A daemon over an edge in this process that does nothing, with or without its metrics, under as many requests as it takes. */
import { monotonicClock } from "../../base/clock.ts";
import { BilledMetadata } from "../../client/daemon/billed-metadata.ts";
import { Daemon, type DaemonQueue } from "../../client/daemon/daemon.ts";
import { createV2Ingress } from "../../client/daemon/ingress/v2.ts";
import { BatchRules } from "../../client/daemon/joining/batch-rules.ts";
import { DaemonLanes } from "../../client/daemon/lanes.ts";
import { ModelDirectory } from "../../client/daemon/model-directory.ts";
import { QueueMetrics } from "../../client/daemon/observe/metrics.ts";
import { observeAll } from "../../client/daemon/observe/observer.ts";
import { QueueLog } from "../../client/daemon/observe/queue-log.ts";
import { QueueStatistics } from "../../client/daemon/observe/queue-statistics.ts";
import { fixedPolicy } from "../../client/policies/fixed.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import { modelTarget } from "../../client/transports/model-target.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import { bodyPieces } from "../../protocol/message.ts";

const inFlight = 64;
const silent = { debug: () => {}, info: () => {}, warn: () => {} };
const nothing = { spent: 0, limit: null };
const spend = () => ({ currency: "CNY", isReached: false, reserved: 0, hour: nothing, day: nothing });
const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [1, 2, 3, 4] }] });

export interface DaemonUnderLoad {
  /**
   * @param count of requests, which all are answered
   * @returns requests a second of processor time
   */
  load(count: number): Promise<number>;
  /** How long a scrape takes now. */
  scrapeMs(): Promise<number>;
  close(): Promise<void>;
}

export async function daemonUnderLoad(hasMetrics: boolean): Promise<DaemonUnderLoad> {
  const clock = monotonicClock();
  const nowMs = (): number => clock.nowMs();
  const metrics = new QueueMetrics({ spend, sloMs: 5_000 });
  const statistics = new QueueStatistics();
  const observers = observeAll([new QueueLog(silent), statistics, ...(hasMetrics ? [metrics] : [])]);
  const target = modelTarget({
    name: "edge",
    kind: "edge",
    maxInFlight: 8,
    assumedLatencyMs: 1,
    callTimeoutMs: 10_000,
    transport: {
      close: () => Promise.resolve(),
      call: (model, body) => {
        const { inputs } = decodeInferRequest(bodyPieces(body), body.headerBytes);
        const answer = { modelName: model, parameters: {}, outputs: inputs };
        const wire = encodeInferResponse(answer, () => true);
        const facts = { durationMs: 1, coldStartMs: 0, mayHaveStarted: false, cost: 0 };
        return Promise.resolve({ ...facts, status: 200, wire });
      },
    },
  });
  const queue: DaemonQueue = new VirtualQueue({
    clock,
    policy: fixedPolicy({ batchRows: [8], timeoutMs: 2 }),
    targets: [target],
    sloMs: 5_000,
    modelOf: modelOfKey,
    observe: (event) => observers.observe(event),
  });
  const json = (value: unknown) => ({ status: 200, body: Buffer.from(JSON.stringify(value)) });
  const tensor = (name: string) => ({ name, datatype: "FP32", shape: [-1, 4] });
  const described = { name: "m", platform: "", inputs: [tensor("x")], outputs: [tensor("y")] };
  const edge = {
    call: () => Promise.reject(new Error("not called")),
    get: (path: string) =>
      Promise.resolve(path === "/v2/models/m" ? json(described) : { ...json({}), status: 404 }),
    post: () => Promise.resolve(json([{ name: "m", version: "1", state: "READY" }])),
    close: () => Promise.resolve(),
  };
  const models = new ModelDirectory([edge], new BilledMetadata([], () => 0), nowMs);
  await models.list();
  const call = () => Promise.reject(new Error("not called"));
  const rules = new BatchRules({ models, nowMs, declared: new Map([["m", true]]), log: silent, call });
  const daemon = new Daemon({
    sloMs: 5_000,
    models,
    lanes: new DaemonLanes([]),
    metrics,
    statistics,
    rules,
    startQueue: () => Promise.resolve(queue),
    spend,
    release: () => Promise.resolve(),
  });
  await daemon.start(new AbortController().signal);
  metrics.watchQueue([target], () => queue.targetHealth(), nowMs);
  const app = createV2Ingress(daemon, { maxBodyBytes: 1e6, onFault: (error) => console.error(error) });
  return {
    load: async (count) => {
      let left = count;
      const caller = async (): Promise<void> => {
        while (left-- > 0) {
          const answer = await app.request("/v2/models/m/infer", { method: "POST", body });
          if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
        }
      };
      const startedAt = process.cpuUsage();
      await Promise.all(Array.from({ length: inFlight }, caller));
      const { user, system } = process.cpuUsage(startedAt);
      return count / ((user + system) / 1e6);
    },
    scrapeMs: async () => {
      const startedAtMs = performance.now();
      await metrics.text();
      return performance.now() - startedAtMs;
    },
    close: () => daemon.close(),
  };
}
