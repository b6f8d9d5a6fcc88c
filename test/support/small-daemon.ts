/** A daemon over one model server in this process, with the queue, the target and the policy of a real one. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicClock } from "../../base/clock.ts";
import { BilledMetadata } from "../../client/daemon/billed-metadata.ts";
import { Daemon, type DaemonQueue } from "../../client/daemon/daemon.ts";
import { BatchRules } from "../../client/daemon/joining/batch-rules.ts";
import { DaemonLanes } from "../../client/daemon/lanes.ts";
import { ModelDirectory } from "../../client/daemon/model-directory.ts";
import { QueueMetrics } from "../../client/daemon/observe/metrics.ts";
import { QueueStatistics } from "../../client/daemon/observe/queue-statistics.ts";
import { RecentRequests } from "../../client/daemon/observe/why/recent-requests.ts";
import { fixedPolicy } from "../../client/policies/fixed.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import { SpendCap } from "../../client/targets/spend-cap.ts";
import type { HttpTransport } from "../../client/transports/http-transport.ts";
import { modelTarget } from "../../client/transports/model-target.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import { bodyPieces, type InferRequest, type ModelMetadata } from "../../protocol/message.ts";
import { type Tensor, tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";

export interface SmallDaemonOptions {
  readonly metadata: Omit<ModelMetadata, "platform">;
  /** The answer to a call, which may be several requests; an error is what the server answers for all of them. */
  readonly serve: (request: InferRequest) => Tensor[] | { readonly status: number; readonly error: string };
  /** How long a call takes. Default: none. */
  readonly serviceMs?: number;
  readonly maxQueuedRows?: number;
  /** Default: 300. */
  readonly sloMs?: number;
  /** Whether rows are joined. Default: yes. */
  readonly joins?: boolean;
}

export interface SmallDaemon {
  readonly daemon: Daemon;
  readonly queue: DaemonQueue;
  /** Rows of the calls so far. */
  readonly calls: readonly number[];
}

const noLimits = new SpendCap({
  limits: { perHour: Infinity, perDay: Infinity },
  currency: "CNY",
  longestCallMs: 1,
  nowMs: 0,
});

export async function smallDaemon(options: SmallDaemonOptions): Promise<SmallDaemon> {
  const { metadata, serve, serviceMs = 0, maxQueuedRows = 1_000, sloMs = 300, joins = true } = options;
  const clock = monotonicClock();
  const calls: number[] = [];
  const recent = new RecentRequests();
  const target = modelTarget({
    name: "edge",
    kind: "edge",
    maxInFlight: 2,
    assumedLatencyMs: 1,
    callTimeoutMs: 10_000,
    transport: {
      close: () => Promise.resolve(),
      call: async (model, body) => {
        const request = decodeInferRequest(bodyPieces(body), body.headerBytes);
        calls.push(request.inputs[0]?.shape[0] ?? 1);
        await delay(serviceMs);
        const answer = serve(request);
        const reply = { durationMs: 1, coldStartMs: 0, mayHaveStarted: false, cost: 0 };
        if (!Array.isArray(answer)) {
          const text = JSON.stringify({ error: answer.error });
          return { ...reply, status: answer.status, wire: { body: Buffer.from(text) } };
        }
        const response = { modelName: model, parameters: {}, outputs: answer };
        return { ...reply, status: 200, wire: encodeInferResponse(response, () => true) };
      },
    },
  });
  const queue: DaemonQueue = new VirtualQueue({
    clock,
    policy: fixedPolicy({ batchRows: [4], timeoutMs: 1 }),
    targets: [target],
    sloMs,
    maxQueuedRows,
    explains: true,
    observe: (event) => recent.observe(event),
  });
  const json = (value: unknown) => ({ status: 200, body: Buffer.from(JSON.stringify(value)) });
  const described = `/v2/models/${metadata.name}`;
  const edge: HttpTransport = {
    call: () => Promise.reject(new Error("not called")),
    get: (path) =>
      Promise.resolve(
        path === described ? json({ ...metadata, platform: "" }) : { ...json({}), status: 404 },
      ),
    post: () => Promise.resolve(json([{ name: metadata.name, version: "1", state: "READY" }])),
    close: () => Promise.resolve(),
  };
  const models = new ModelDirectory([edge], new BilledMetadata([], () => 0), () => clock.nowMs());
  await models.list();
  const daemon = new Daemon({
    sloMs,
    models,
    lanes: new DaemonLanes([]),
    metrics: new QueueMetrics({ spend: () => noLimits.status(0) }),
    statistics: new QueueStatistics(),
    recent,
    rules: new BatchRules({
      models,
      nowMs: () => clock.nowMs(),
      declared: new Map([[metadata.name, joins]]),
      log: { info: () => {}, warn: () => {} },
      call: () => Promise.reject(new Error("not called")),
    }),
    startQueue: () => Promise.resolve(queue),
    spend: () => noLimits.status(0),
    release: () => Promise.resolve(),
  });
  await daemon.start(new AbortController().signal);
  return { daemon, queue, calls };
}

/** A model that doubles its rows. */
export const doubler = {
  metadata: {
    name: "double",
    versions: ["1"],
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
  },
  serve: ({ inputs }) => {
    const [x] = inputs as [Tensor];
    return [
      tensorFromNumbers(
        "y",
        "FP32",
        x.shape,
        Array.from(tensorToNumbers(x), (value) => 2 * value),
      ),
    ];
  },
} satisfies SmallDaemonOptions as SmallDaemonOptions;
