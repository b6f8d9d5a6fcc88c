/**
 * Measures what the dashboard costs a daemon: the part of a core that a queue takes for 2,000 requests a second without it, with
 * it while nobody looks, and while 50 pages look from another process. Processor time is counted, so that other work on the
 * machine matters less.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import { AccessGate } from "../../base/access/access-gate.ts";
import { monotonicClock } from "../../base/clock.ts";
import { createHttpServer } from "../../base/program/serve.ts";
import { addQueueDashboard } from "../../client/daemon/observe/dashboard/dashboard-page.ts";
import { QueueDashboard } from "../../client/daemon/observe/dashboard/queue-dashboard.ts";
import { fixedPolicy } from "../../client/policies/fixed.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import type { Target } from "../../client/targets/target.ts";

const [pages, rounds, roundMs, everyMs, perTurn, settleMs] = [50, 5, 5_000, 10, 20, 1_500];
const targets = ["edge-1", "edge-2", "small"];

type Mode = "without" | "nobody looks" | "50 pages look";

async function measured(mode: Mode): Promise<number> {
  const clock = monotonicClock();
  const dashboard = new QueueDashboard({
    sloMs: 1_000,
    sloQuantile: 0.99,
    policy: "fixed",
    lanes: {},
    spend: () => {
      const none = { spent: 0, limit: null };
      return { currency: "CNY", isReached: false, reserved: 0, hour: none, day: none };
    },
    targets: () => targets.map((name) => ({ name, kind: name === "small" ? "serverless" : "edge", at: "" })),
    look: () => Promise.resolve([]),
    nowMs: () => clock.nowMs(),
  });
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: fixedPolicy({ batchRows: [8, 8, 4], timeoutMs: 50 }),
    targets: targets.map(noOpTarget),
    sloMs: 1_000,
    maxQueuedRows: 1e6,
    ...(mode !== "without" && { observe: (event) => dashboard.observe(event) }),
  });
  dashboard.watchQueue(queue, {});
  const gate = new AccessGate();
  const served = new Hono().use(gate.protect(() => undefined));
  addQueueDashboard(served, dashboard, gate);
  const server = createHttpServer(served).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const viewers = mode === "50 pages look" ? fork(fileURLToPath(import.meta.url), [String(port)]) : undefined;
  // A page gets all there is at first; here it is about what comes after.
  if (viewers !== undefined) {
    while (dashboard.streams.count < pages) await nextTurn();
    await delay(settleMs);
  }
  let ended = 0;
  const before = process.cpuUsage();
  const untilMs = performance.now() + roundMs;
  while (performance.now() < untilMs) {
    for (let count = 0; count < perTurn; count++)
      queue.submit({ payload: count, key: "model x", rows: 1, bytes: 100 }, () => ended++);
    await delay(everyMs);
  }
  const { user, system } = process.cpuUsage(before);
  await new Promise<void>((drained) => queue.close(drained));
  dashboard.close();
  viewers?.kill();
  await new Promise((closed) => server.close(closed));
  if (ended === 0) throw new Error("no request has ended");
  return (user + system) / 1e6 / (roundMs / 1_000);
}

/** Answers in the next turn of the event loop, as a target far away does at the soonest. */
function noOpTarget(name: string): Target<number, number> {
  return {
    name,
    kind: name === "small" ? "serverless" : "edge",
    maxInFlight: 1_000,
    assumedLatencyMs: 1,
    send: ({ parts }, done) => {
      const answers = parts.map(({ payload }) => payload);
      setImmediate(() => done({ ok: true, answers, serviceMs: 1, coldStartMs: 0, cost: 0 }));
    },
  };
}

async function main(): Promise<void> {
  const modes: readonly Mode[] = ["without", "nobody looks", "50 pages look"];
  const rates = new Map<Mode, number[]>(modes.map((mode) => [mode, []]));
  for (let round = 0; round < rounds; round++)
    for (const mode of modes) rates.get(mode)?.push(await measured(mode));
  for (const mode of modes) {
    const parts = (rates.get(mode) ?? []).toSorted((a, b) => a - b).map((part) => (part * 100).toFixed(1));
    console.log(`${mode}: ${parts[rounds >> 1]} % of a core (${parts[0]} to ${parts.at(-1)})`);
  }
}

/** In a process of its own: pages that read all that they are sent. */
function look(port: string): void {
  for (let count = 0; count < pages; count++)
    get(`http://127.0.0.1:${port}/dashboard/stream`, (answer) => answer.resume()).on("error", () => {});
}

const [port] = process.argv.slice(2);
if (port === undefined) await main();
else look(port);
