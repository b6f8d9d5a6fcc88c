/**
 * What replay costs: requests a second through reader, queue, policy and world, without a log, and how memory
 * stands after a trace ten times as long. The trace is Poisson, read from CSV of one line a request that is made
 * while it is read.
 */
import type { PriceSheet } from "../algorithms/price.ts";
import { policies } from "../client/policies/registry.ts";
import { exponential, randomStream } from "../replay/random-stream.ts";
import { replayTrace } from "../replay/run.ts";
import { parseScenario } from "../replay/scenario.ts";
import type { TextFile } from "../replay/text-lines.ts";

const requestsPerRun = 500_000;
const runs = 3;
/** Nine tenths of what the edge can serve in batches of 32. */
const ratePerS = 288;

const link = { rttMs: 2, uplinkMbps: 1_000 };
const scenario = parseScenario(
  JSON.stringify({
    name: "bench",
    sloMs: 1_000,
    requestBytes: 50_000,
    edge: { replicas: 1, maxBatch: 32, link, serviceMs: { "1": [6, 6.5, 7], "32": [98, 100, 104] } },
    serverless: {
      link: { rttMs: 40, uplinkMbps: 400 },
      maxInstances: 300,
      idleMs: 180_000,
      coldStartMs: [1_000, 1_500],
      prices: "made up",
      sizes: [
        { name: "small", memoryMib: 2_048, maxBatch: 8, serviceMs: { "1": [60, 65], "8": [150, 160] } },
      ],
    },
  }),
  "bench",
);
const sheet: PriceSheet = {
  kind: "gb-second",
  name: "made up",
  currency: "USD",
  validFrom: "2026-01-01",
  source: "made up",
  perGbS: 0.000_016,
  perCall: 0.000_000_2,
  granularityMs: { cpu: 1 },
};

function poissonTrace(requests: number): TextFile {
  return {
    name: "poisson",
    async *open() {
      const random = randomStream(1, "bench");
      let atS = 0;
      let text = "t\n";
      for (let request = 0; request < requests; request++) {
        atS += exponential(random) / ratePerS;
        text += `${atS.toFixed(6)}\n`;
        if (text.length < 65_536) continue;
        yield new TextEncoder().encode(text);
        text = "";
      }
      yield new TextEncoder().encode(text);
    },
  };
}

async function requestsPerSecond(
  policy: (typeof policies)[keyof typeof policies],
  requests: number,
): Promise<number> {
  const startedAtMs = performance.now();
  const summary = await replayTrace({
    trace: poissonTrace(requests),
    scenario,
    sheet,
    policy,
    seed: 1,
    fromS: 0,
    toS: Infinity,
    scale: 1,
  });
  if (summary.requests !== requests)
    throw new Error(`${summary.requests} of ${requests} requests were replayed`);
  return requests / ((performance.now() - startedAtMs) / 1_000);
}

const thousands = (rate: number | undefined): string => `${Math.round((rate as number) / 1_000)} k`;
for (const name of ["spillway", "edge-only", "fixed"] as const) {
  const rates: number[] = [];
  for (let run = 0; run < runs; run++) rates.push(await requestsPerSecond(policies[name], requestsPerRun));
  rates.sort((a, b) => a - b);
  console.log(
    `replay, ${name}: ${thousands(rates[runs >> 1])} requests/s (median of ${runs} runs of` +
      ` ${thousands(requestsPerRun)}; ${thousands(rates[0])} to ${thousands(rates[runs - 1])}),` +
      ` Node ${process.versions.node}`,
  );
}
const mib = (): number => Math.round(process.memoryUsage.rss() / 2 ** 20);
const beforeMib = mib();
await requestsPerSecond(policies.fixed, 10 * requestsPerRun);
console.log(`memory: ${beforeMib} MiB, after ${(10 * requestsPerRun) / 1e6} M requests more ${mib()} MiB`);
