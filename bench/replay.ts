/**
 * Measures replay: requests a second, and nanoseconds a request, through reader, queue, policy and world, with and without
 * a log, beside those of `edge-only`, and the memory of a whole day. The trace is Poisson, read from a CSV of one line a request that is made while it is read.
 */
import { type ReplayPolicyName, replayPolicies } from "../replay/peers/registry.ts";
import { exponential, randomStream } from "../replay/traces/random-stream.ts";
import { type LogSink, replayTrace } from "../replay/run.ts";
import { medianOf } from "../base/quantile.ts";
import { parseScenario } from "../replay/world/scenario.ts";
import type { TextFile } from "../base/text-lines.ts";
import { benchScenario, benchSheet } from "./bench-world.ts";

const requestsPerRun = 500_000;
const runs = 3;
/** Nine tenths of what the edge can serve in batches of 32. */
const ratePerS = 288;

const scenario = parseScenario(
  JSON.stringify(benchScenario({ sloMs: 1_000, maxInstances: 300, faults: [] })),
  "bench",
);

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

interface Case {
  readonly name: string;
  readonly policy: ReplayPolicyName;
  readonly trace: TextFile;
  /** Write the decision log and drop it. */
  readonly log?: boolean;
}

const trace = poissonTrace(requestsPerRun);
const cases: readonly Case[] = [
  { name: "edge-only", policy: "edge-only", trace },
  { name: "spillway", policy: "spillway", trace },
  { name: "spillway with a log", policy: "spillway", trace, log: true },
  { name: "fixed", policy: "fixed", trace },
];
const day: Case = { name: "a day at 100 requests/s, spillway", policy: "spillway", trace: dayTrace };

/** Nanoseconds a request. */
async function replayed({ policy, trace, log = false }: Case): Promise<number> {
  const startedAtMs = performance.now();
  let bytes = 0;
  let text = "";
  const sink: LogSink = {
    write: (line) => void (text += line),
    flush: async () => {
      bytes += Buffer.byteLength(text);
      text = "";
    },
  };
  const { requests } = await replayTrace({
    trace,
    scenario,
    sheet: benchSheet,
    policy: replayPolicies[policy],
    seed: 1,
    fromS: 0,
    toS: Infinity,
    scale: 1,
    log: log ? sink : undefined,
  });
  if (log && bytes === 0) throw new Error("nothing was logged");
  return ((performance.now() - startedAtMs) * 1e6) / requests;
}

const perS = (ns: number): string => `${Math.round(1e6 / ns)} k`;

// In turn, so that what else the machine does slows all of them alike.
const tookNs = cases.map((): number[] => []);
for (let run = 0; run < runs; run++)
  for (const [index, each] of cases.entries()) tookNs[index]?.push(await replayed(each));
const [edgeOnlyNs = 0] = tookNs.map((ns) => medianOf(ns));
for (const [index, { name }] of cases.entries()) {
  const ns = tookNs[index] as number[];
  const median = medianOf(ns);
  console.log(
    `replay, ${name}: ${perS(median)} requests/s, ${Math.round(median)} ns a request, ` +
      `${(edgeOnlyNs / median).toFixed(2)} of edge-only (median of ${runs} runs of ${requestsPerRun / 1_000} k; ` +
      `${perS(Math.max(...ns))} to ${perS(Math.min(...ns))}), Node ${process.versions.node}`,
  );
}
const dayNs = await replayed(day);
const peakMib = Math.round(process.resourceUsage().maxRSS / 1_024);
console.log(
  `${day.name}: ${perS(dayNs)} requests/s, ${Math.round(dayNs)} ns a request, ` +
    `${(edgeOnlyNs / dayNs).toFixed(2)} of edge-only; peak memory of it all ${peakMib} MiB`,
);
