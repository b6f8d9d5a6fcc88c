/**
 * Measures the rate detector on the recorded traces beside the repository, in bins of 1 s: how much worse its segments
 * explain the counts than the best ones found afterwards, and how well the mean since its last alarm predicts the next
 * count. Traces of counts a minute are drawn second by second. Figures are nats a bin, by quasi-Poisson likelihood.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { RateDetector } from "../algorithms/changepoint/change-detectors.ts";
import type { Alarm } from "../algorithms/changepoint/shift-detector.ts";
import { textFile } from "../replay/files.ts";
import { readArrivals } from "../replay/traces/arrivals.ts";

/** What a change costs in the offline partition, in nats (the threshold of a likelihood-ratio test). */
const penalty = 13;
const leastRate = 0.001;
const traces = [
  ["azure-llm-2023-code.csv.gz", 1],
  ["azure-llm-2023-conv.csv.gz", 1],
  ["azure-llm-2023-conv.csv.gz", 15],
  ["harmonybatch-app1-60s.csv", 1],
  ["harmonybatch-app2-60s.csv", 1],
  ["harmonybatch-app3-60s.csv", 1],
  ["harmonybatch-app4-60s.csv", 1],
  ["worldcup98-3h-60s.csv.gz", 0.01],
  ["worldcup98-3h-60s.csv.gz", 0.1],
  ["worldcup98-3h-60s.csv.gz", 1],
  ["synthetic-poisson-steps.csv.gz", 1],
] as const;

async function countsOf(path: string, scale: number): Promise<number[]> {
  const counts: number[] = [];
  for await (const block of readArrivals(textFile(path), { seed: 1, fromS: 0, toS: Infinity, scale })) {
    for (const { atS } of block) {
      const second = Math.floor(atS);
      while (counts.length <= second) counts.push(0);
      counts[second] = (counts[second] as number) + 1;
    }
  }
  return counts;
}

/** Variance over mean, from the differences of neighbours; at least 1. */
function dispersionOf(counts: readonly number[]): number {
  let squares = 0;
  let sum = 0;
  for (const [index, count] of counts.entries()) {
    sum += count;
    if (index > 0) squares += (count - (counts[index - 1] as number)) ** 2 / 2;
  }
  return Math.max(1, squares / sum);
}

/** Minus the log-likelihood of a segment at its mean, up to terms that every partition shares. */
function segmentCost(sum: number, bins: number): number {
  return sum > 0 ? sum - sum * Math.log(sum / bins) : 0;
}

/** The cost of the best partition (Killick, Fearnhead and Eckley 2012, PELT), each change charged with the penalty. */
function leastCost(totals: readonly number[], dispersion: number): number {
  const best = [-penalty];
  let starts = [0];
  for (let end = 1; end < totals.length; end++) {
    const costs = starts.map(
      (start) => (best[start] as number) + costBetween(totals, start, end) / dispersion,
    );
    const least = costs.reduce((a, b) => Math.min(a, b)) + penalty;
    starts = starts.filter((_, index) => (costs[index] as number) <= least);
    starts.push(end);
    best.push(least);
  }
  return best.at(-1) as number;
}

function costBetween(totals: readonly number[], start: number, end: number): number {
  return segmentCost((totals[end] as number) - (totals[start] as number), end - start);
}

function regretOf(alarms: readonly Alarm[], totals: readonly number[], dispersion: number): number {
  const starts = [...new Set([0, ...alarms.map(({ startIndex }) => startIndex)])].sort((a, b) => a - b);
  let cost = -penalty;
  for (const [index, start] of starts.entries())
    cost += penalty + costBetween(totals, start, starts[index + 1] ?? totals.length - 1) / dispersion;
  return (cost - leastCost(totals, dispersion)) / (totals.length - 1);
}

/** What the mean since the last alarm's start loses against each next count's own value. */
function predictiveLoss(alarms: readonly Alarm[], totals: readonly number[], dispersion: number): number {
  let start = 0;
  let next = 0;
  let loss = 0;
  for (let now = 1; now < totals.length - 1; now++) {
    for (; (alarms[next]?.atIndex ?? Infinity) < now; next++) start = alarms[next]?.startIndex ?? start;
    const count = (totals[now + 1] as number) - (totals[now] as number);
    const rate = Math.max(leastRate, ((totals[now] as number) - (totals[start] as number)) / (now - start));
    loss += (rate - count * Math.log(rate) - segmentCost(count, 1)) / dispersion;
  }
  return loss / (totals.length - 2);
}

const regrets: number[] = [];
const losses: number[] = [];
for (const [name, scale] of traces) {
  const path = fileURLToPath(new URL(`../../../shared/data/traces/${name}`, import.meta.url));
  if (!existsSync(path)) continue;
  const counts = await countsOf(path, scale);
  const detector = new RateDetector();
  const alarms = counts.flatMap((count) => detector.observe(count) ?? []);
  const totals = [0];
  for (const count of counts) totals.push((totals.at(-1) as number) + count);
  const dispersion = dispersionOf(counts);
  const regret = regretOf(alarms, totals, dispersion);
  const loss = predictiveLoss(alarms, totals, dispersion);
  regrets.push(regret);
  losses.push(loss);
  process.stdout.write(
    `${name} x ${scale}: ${alarms.length} alarms, regret ${regret.toFixed(4)}, loss ${loss.toFixed(3)}\n`,
  );
}
const mean = (values: readonly number[]): string =>
  (values.reduce((a, b) => a + b, 0) / values.length).toFixed(4);
if (regrets.length > 0) process.stdout.write(`mean regret ${mean(regrets)}, mean loss ${mean(losses)}\n`);
else process.stdout.write("no recorded traces beside the repository\n");
