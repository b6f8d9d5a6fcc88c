/**
 * Writes `docs/reference/splitting.md`: how cost and the share in SLO change when one stream of requests is split over
 * several owners, each with its share of the edges: `npm run splitting`. Everything runs in virtual time, so the page is the
 * same on every machine.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { policies } from "../../client/policies/registry.ts";
import { randomStream } from "../../replay/traces/random-stream.ts";
import { parseScenario } from "../../replay/world/scenario.ts";
import { replaySplit } from "../../replay/world/split-owners.ts";
import { arrivalTimesS, type RateShape } from "../../replay/worlds/world-arrivals.ts";
import { readPriceSheet } from "../../serverless/prices/price-sheet-files.ts";
import { drawSplitting, type SplittingRow, splittingPage } from "./splitting-page.ts";

const edges = 64;
const seed = 1;
const requests = 20_000;
const ownerCounts = [1, 2, 4, 8, 16, 32, 64];
const edgeRowsPerS = 40;

/** Evenly spaced around a time, as measured samples are. */
const around = (ms: number): number[] => [0.9, 0.95, 1, 1.05, 1.1].map((part) => part * ms);
const times = (firstMs: number, nextMs: number) =>
  Object.fromEntries([1, 2, 4, 8].map((rows) => [rows, around(firstMs + (rows - 1) * nextMs)]));
const scenario = parseScenario(
  JSON.stringify({
    name: "splitting",
    sloMs: 400,
    sloQuantile: 0.99,
    requestBytes: 20_000,
    edges: Array.from({ length: edges }, (_, index) => ({
      name: `edge-${index}`,
      replicas: 1,
      link: { rttMs: 4, uplinkMbps: 100 },
      maxBatch: 8,
      // Eight rows in 200 ms.
      serviceMs: times(95, 15),
    })),
    serverless: {
      link: { rttMs: 20, uplinkMbps: 10_000 },
      maxInstances: 2_000,
      idleMs: 300_000,
      coldStartMs: [400, 450, 500],
      prices: "aws-lambda-us-east-1-x86",
      sizes: [{ name: "function", vcpu: 2, memoryMib: 3_072, maxBatch: 8, serviceMs: times(150, 60) }],
    },
  }),
  "splitting",
);
const sheet = readPriceSheet(scenario.serverless.prices);

const cases: readonly { readonly shape: RateShape; readonly load: number }[] = [
  { shape: "constant", load: 0.5 },
  { shape: "constant", load: 0.9 },
  { shape: "constant", load: 1.3 },
  { shape: "spikes", load: 0.6 },
];

const rows = cases.map(({ shape, load }): SplittingRow => {
  const ratePerS = load * edges * edgeRowsPerS;
  const arrivals = { shape, count: requests, rounds: 1, ratePerS, isRegular: false };
  const arrivalsMs = arrivalTimesS(randomStream(seed, `arrivals ${shape}`), arrivals).map((s) => 1_000 * s);
  const cells = ownerCounts.map((owners) => {
    const options = { scenario, sheet, seed, arrivalsMs, owners };
    const summary = replaySplit({ ...options, policy: policies.spillway });
    process.stderr.write(
      `${shape} ${load}: ${owners} owners: ${summary.inSloShare} ${summary.costPer1000}\n`,
    );
    return {
      owners,
      share: summary.inSloShare ?? 0,
      costPer1000: summary.costPer1000 ?? 0,
      atFunctions: summary.targets["function"]?.share ?? 0,
    };
  });
  return { shape, load, cells };
});
const file = (name: string): string =>
  fileURLToPath(new URL(`../../../docs/reference/${name}`, import.meta.url));
writeFileSync(
  file("splitting.md"),
  splittingPage({ rows, edges, requests, sloMs: scenario.sloMs, ratePerS: edges * edgeRowsPerS }),
);
writeFileSync(file("splitting.svg"), await drawSplitting(rows));
execFileSync("npx", ["oxfmt", file("splitting.md")]);
