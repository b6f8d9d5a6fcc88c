/** The page of a queue with the real policy, over targets that take their time but do nothing, on a port of its own. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Hono } from "hono";
import { AccessGate, type AccessOptions } from "../../base/access/access-gate.ts";
import { monotonicClock } from "../../base/clock.ts";
import { SpillwayError } from "../../base/errors.ts";
import { createHttpServer } from "../../base/program/serve.ts";
import { addQueueDashboard } from "../../client/daemon/observe/dashboard/dashboard-page.ts";
import { QueueDashboard } from "../../client/daemon/observe/dashboard/queue-dashboard.ts";
import { makePolicy, type QueuePolicy } from "../../client/policies/make-policy.ts";
import type { ProfiledTarget } from "../../client/policies/profile.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import type { Target } from "../../client/targets/target.ts";
import { isDashboard, neededScope } from "../../protocol/server/needed-scope.ts";
import { callCost } from "../../serverless/prices/price.ts";
import { shippedSheet } from "./shipped-sheet.ts";

export interface RigOptions {
  readonly edges?: readonly string[];
  readonly functions?: readonly string[];
  readonly models?: readonly string[];
  /** By name, the SLO in milliseconds. */
  readonly lanes?: Readonly<Record<string, number>>;
  readonly access?: AccessOptions;
  readonly everyMs?: number;
  readonly port?: number;
  readonly spendLimit?: number;
  /** How long a row takes everywhere, beside 20 ms for a batch. Default: 10. */
  readonly rowMs?: number;
}

export interface DashboardRig {
  readonly url: string;
  readonly dashboard: QueueDashboard;
  /** Submits requests of the models in turn, so many a second, until `stop` is aborted. */
  load(perS: number, stop: AbortSignal): Promise<void>;
  /** Submits one request; resolves with how it ended. */
  submit(): Promise<string>;
  /** Makes a target fail, or serve again. */
  readonly down: Set<string>;
  close(): Promise<void>;
}

const sloMs = 500;
const sheet = shippedSheet("alibaba-fc-cn-2026");

export async function dashboardRig(options: RigOptions = {}): Promise<DashboardRig> {
  const {
    edges = ["edge-1"],
    functions = ["small", "large"],
    models = ["ocr-cls"],
    lanes = {},
    access = {},
    rowMs = 10,
  } = options;
  const clock = monotonicClock();
  const down = new Set<string>();
  const names = [...edges, ...functions];
  const targets = names.map((name, index) => simulated(name, index < edges.length, rowMs, down));
  const profiles = names.map((name, index) => profiled(name, index < edges.length, rowMs, models));
  const policy: QueuePolicy =
    names.length === 0
      ? { name: "fixed", batchRows: [], timeoutMs: 1 }
      : { name: "spillway", sloQuantile: 0.99, targets: profiles, prices: sheet };
  let spent = 0;
  const dashboard = new QueueDashboard({
    sloMs,
    sloQuantile: 0.99,
    policy: policy.name,
    lanes,
    spend: () => {
      const hour = { spent, limit: options.spendLimit ?? null };
      return { currency: "CNY", isReached: false, reserved: 0, hour, day: { spent, limit: null } };
    },
    targets: () =>
      names.map((name, index) => ({
        name,
        kind: index < edges.length ? ("edge" as const) : ("serverless" as const),
        at: `http://10.0.0.${index + 1}:8000`,
      })),
    look: () => Promise.resolve(names.map((name) => ({ name, isReachable: !down.has(name) }))),
    nowMs: () => clock.nowMs(),
    ...(options.everyMs !== undefined && { everyMs: options.everyMs }),
  });
  const made = makePolicy(policy, sloMs, {
    onPrediction: (error) => dashboard.predicted(error),
    onPlan: (key, change) => dashboard.observe({ kind: "plan", key, ...change }),
  });
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: made,
    targets,
    sloMs,
    modelOf: modelOfKey,
    explains: true,
    ...(Object.keys(lanes).length > 0 && {
      lanes: Object.fromEntries(Object.entries(lanes).map(([name, ms]) => [name, { sloMs: ms }])),
    }),
    observe: (event) => {
      if (event.kind === "result") spent += event.cost ?? 0;
      dashboard.observe(event);
    },
  });
  dashboard.watchQueue(queue, made);
  const gate = new AccessGate(access);
  const app = new Hono({ strict: false });
  app.use(gate.protect(neededScope, isDashboard));
  addQueueDashboard(app, dashboard, gate);
  const server = createHttpServer(app).listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  let next = 0;
  const laneNames = ["", ...Object.keys(lanes)];
  const submit = (): Promise<string> => {
    const model = models[next % models.length] as string;
    const lane = laneNames[next % laneNames.length] as string;
    next++;
    const submission = {
      payload: next,
      key: `${encodeURIComponent(model)} x`,
      rows: 1,
      bytes: 1_000,
      ...(lane !== "" && { lane }),
    };
    return new Promise((resolve) => void queue.submit(submission, ({ outcome }) => resolve(outcome)));
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dashboard`,
    dashboard,
    submit,
    down,
    load: async (perS, stop) => {
      const everyMs = 20;
      let owed = 0;
      while (!stop.aborted) {
        for (owed += (perS * everyMs) / 1_000; owed >= 1; owed--) void submit();
        await delay(everyMs);
      }
    },
    close: async () => {
      await new Promise<void>((drained) => queue.close(drained));
      dashboard.close();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Functions are as fast, and cost what the sheet says. */
function simulated(
  name: string,
  isEdge: boolean,
  rowMs: number,
  down: ReadonlySet<string>,
): Target<number, number> {
  return {
    name,
    kind: isEdge ? "edge" : "serverless",
    maxInFlight: isEdge ? 2 : 20,
    assumedLatencyMs: 50,
    send: ({ rows, parts }, done) => {
      if (down.has(name)) {
        const error = new SpillwayError("target_unreachable", `connect ECONNREFUSED ${name}`);
        return void setTimeout(() => done({ ok: false, error }), 5);
      }
      const serviceMs = 20 + rowMs * rows;
      const answers = parts.map(({ payload }) => payload);
      const cost = isEdge ? 0 : callCost(sheet, { vcpu: 1, memoryMib: 1_024 }, serviceMs).cost;
      setTimeout(
        () => done({ ok: true, answers, serviceMs, serverQueuedMs: 0, coldStartMs: 0, cost }),
        serviceMs + 2,
      );
    },
  };
}

function profiled(name: string, isEdge: boolean, rowMs: number, models: readonly string[]): ProfiledTarget {
  const serviceMs = Object.fromEntries([1, 2, 4, 8].map((rows) => [String(rows), [20 + rowMs * rows]]));
  const times = { requestBytes: 1_000, maxBatch: 8, serviceMs };
  const known = {
    name,
    replicas: isEdge ? 1 : 20,
    link: { rttMs: 2, uplinkMbps: 1_000 },
    coldStartMs: [],
    models: Object.fromEntries(models.map((model) => [model, times])),
  };
  return isEdge ? { ...known, kind: "edge" } : { ...known, kind: "serverless", vcpu: 1, memoryMib: 1_024 };
}
