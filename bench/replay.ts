/**
 * Measures replay: requests a second through reader, queue, policy and world, with and without a log, and the memory of a
 * whole day. The trace is Poisson, read from a CSV of one line a request that is made while it is read.
 */
import type { PriceSheet } from "../serverless/prices/price.ts";
import { type ReplayPolicyName, replayPolicies } from "../replay/peers/registry.ts";
import { exponential, randomStream } from "../replay/traces/random-stream.ts";
import { type LogSink, replayTrace } from "../replay/run.ts";
import { parseScenario } from "../replay/world/scenario.ts";
import type { TextFile } from "../base/text-lines.ts";

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

/** A day at 100 requests a second, in bins of a minute. */
const dayTrace: TextFile = {
  name: "day",
  async *open() {
    const bins = Array.from({ length: 1_440 }, (_, minute) => `${60 * minute},100\n`);
    yield new TextEncoder().encode(`second,rate_rps\n${bins.join("")}`);
  },
};

interface Run {
  readonly policy: ReplayPolicyName;
  readonly trace: TextFile;
  /** Write the decision log and drop it. */
  readonly log?: boolean;
}

/** Requests a second. */
async function replayed({ policy, trace, log = false }: Run): Promise<number> {
  const startedAtMs = performance.now();
  let bytes = 0;
  const sink: LogSink = { write: (line) => void (bytes += line.length), flush: async () => {} };
  const { requests } = await replayTrace({
    trace,
    scenario,
    sheet,
    policy: replayPolicies[policy],
    seed: 1,
    fromS: 0,
    toS: Infinity,
    scale: 1,
    log: log ? sink : undefined,
  });
  if (log && bytes === 0) throw new Error("nothing was logged");
  return requests / ((performance.now() - startedAtMs) / 1_000);
}

const thousands = (rate: number): string => `${Math.round(rate / 1_000)} k`;

async function report(policy: ReplayPolicyName, log = false): Promise<void> {
  const rates: number[] = [];
  for (let run = 0; run < runs; run++)
    rates.push(await replayed({ policy, trace: poissonTrace(requestsPerRun), log }));
  const [least, median, most] = rates.toSorted((a, b) => a - b) as [number, number, number];
  console.log(
    `replay, ${policy}${log ? " with a log" : ""}: ${thousands(median)} requests/s (median of ${runs} runs of` +
      ` ${thousands(requestsPerRun)}; ${thousands(least)} to ${thousands(most)}), Node ${process.versions.node}`,
  );
}

await report("spillway");
await report("spillway", true);
await report("edge-only");
await report("fixed");
const rate = await replayed({ policy: "spillway", trace: dayTrace });
const peakMib = Math.round(process.resourceUsage().maxRSS / 1_024);
console.log(
  `a day at 100 requests/s, spillway: ${thousands(rate)} requests/s; peak memory of it all ${peakMib} MiB`,
);
