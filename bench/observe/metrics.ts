/**
 * What the metrics cost: the virtual queue under the virtual clock, and the daemon as a V2 server without sockets, each with
 * the observers that it has anyway and with the metrics beside them, in turn in one run; and how long a scrape takes while
 * requests wait. Processor time counts, because that is what a busy machine leaves alike.
 * Usage: metrics.js [THOUSANDS of requests a run]
 */
import { type DaemonUnderLoad, daemonUnderLoad } from "./daemon-under-load.ts";
import { QueueLog } from "../../client/daemon/observe/queue-log.ts";
import { QueueMetrics } from "../../client/daemon/observe/metrics.ts";
import { observeAll, type QueueObserver } from "../../client/daemon/observe/observer.ts";
import { QueueStatistics } from "../../client/daemon/observe/queue-statistics.ts";
import { fixedPolicy } from "../../client/policies/fixed.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { Target, TargetKind } from "../../client/targets/target.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";

const [thousands = 100] = process.argv.slice(2).map(Number);
const requestsPerRun = thousands * 1_000;
const runs = 9;
/** 10,000 requests a second of virtual time. */
const gapMs = 0.1;
const lanes = { realtime: { sloMs: 300 }, bulk: { sloMs: 60_000 } };
const noSpend = { spent: 0, limit: null };
const spend = () => ({ currency: "CNY", isReached: false, reserved: 0, hour: noSpend, day: noSpend });

function noOpTarget(name: TargetKind, clock: VirtualClock): Target<number, number> {
  return {
    name,
    kind: name,
    maxInFlight: 1_000,
    assumedLatencyMs: 10,
    send: ({ parts }, done) => {
      clock.schedule(clock.nowMs() + 10, () => {
        const answers = parts.map(({ payload }) => payload);
        done({ ok: true, answers, serviceMs: 5, serverQueuedMs: 1, coldStartMs: 0, cost: 1e-6 });
      });
    },
  };
}

interface Run {
  readonly perS: number;
  readonly scrapeMs: number;
}

async function run(hasMetrics: boolean): Promise<Run> {
  const clock = new VirtualClock();
  const statistics = new QueueStatistics();
  const silent = { debug: () => {}, info: () => {}, warn: () => {} };
  const metrics = new QueueMetrics({ spend, sloMs: 1_000, lanes: { realtime: 300, bulk: 60_000 } });
  const observers: QueueObserver[] = [new QueueLog(silent), statistics, ...(hasMetrics ? [metrics] : [])];
  const observer = observeAll(observers);
  const policy: Policy = fixedPolicy({ batchRows: [20, 2], timeoutMs: 400 });
  const targets = [noOpTarget("edge", clock), noOpTarget("serverless", clock)];
  const queue = new VirtualQueue<number, number>({
    clock,
    policy,
    targets,
    sloMs: 1_000,
    lanes,
    observe: (event) => observer.observe(event),
  });
  metrics.watchQueue(
    targets,
    () => queue.targetHealth(),
    () => clock.nowMs(),
  );
  let answered = 0;
  const startedAt = process.cpuUsage();
  for (let id = 0; id < requestsPerRun; id++) {
    clock.advanceTo(id * gapMs);
    statistics.announce("m", 1);
    if (hasMetrics) metrics.announce("m");
    queue.submit(
      { payload: id, sloMs: 1_000 + (id % 7), ...(id % 4 === 0 && { lane: "realtime" }) },
      (end) => {
        if (end.outcome === "served" && end.answer === id) answered++;
      },
    );
  }
  const { user, system } = process.cpuUsage(startedAt);
  const seconds = (user + system) / 1e6;
  const scrapeStartedAtMs = performance.now();
  await metrics.text();
  const scrapeMs = performance.now() - scrapeStartedAtMs;
  clock.runAll();
  if (answered !== requestsPerRun)
    throw new Error(`${requestsPerRun - answered} of ${requestsPerRun} requests were not answered`);
  return { perS: requestsPerRun / seconds, scrapeMs };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** The quickest of several runs is the one that the rest of the machine disturbed least. */
function best(all: readonly number[]): number {
  return Math.max(...all);
}

const without: Run[] = [];
const withMetrics: Run[] = [];
await run(true);
for (let index = 0; index < runs; index++) {
  without.push(await run(false));
  withMetrics.push(await run(true));
}
const rateOf = (all: readonly Run[]): number => best(all.map(({ perS }) => perS));
const costNs = 1e9 / rateOf(withMetrics) - 1e9 / rateOf(without);
const scrapeMs = median(withMetrics.map((each) => each.scrapeMs));
console.log(
  `virtual queue as a daemon observes it: ${(1e9 / rateOf(without)).toFixed(0)} ns a request; metrics add` +
    ` ${costNs.toFixed(0)} ns; a scrape takes ${scrapeMs.toFixed(1)} ms`,
);

const daemons: readonly DaemonUnderLoad[] = [await daemonUnderLoad(false), await daemonUnderLoad(true)];
const rates: [number[], number[]] = [[], []];
const loadScrapesMs: number[] = [];
for (let index = 0; index <= runs; index++) {
  for (const [number, daemon] of daemons.entries()) {
    const perS = await daemon.load(thousands * 10);
    // The first run warms up.
    if (index > 0) rates[number]?.push(perS);
  }
}
const loading = daemons[1]?.load(thousands * 10);
for (let index = 0; index < runs; index++) loadScrapesMs.push((await daemons[1]?.scrapeMs()) ?? 0);
await loading;
for (const daemon of daemons) await daemon.close();
const [bareRate, metricsRate] = [best(rates[0]), best(rates[1])];
console.log(
  `daemon without sockets: ${bareRate.toFixed(0)} requests a processor second, with metrics ${metricsRate.toFixed(0)}` +
    ` (${((bareRate / metricsRate - 1) * 100).toFixed(1)} % more time; ${((costNs * bareRate) / 1e7).toFixed(1)} % by the` +
    ` figure above); a scrape under load takes ${Math.max(...loadScrapesMs).toFixed(1)} ms at most, Node ${process.versions.node}`,
);
