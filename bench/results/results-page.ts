/** The page of results. Every sentence with a figure in it is computed from the replays. */
import { replayPolicyNames } from "../../replay/peers/registry.ts";
import { median } from "simple-statistics";
import { figure, percent } from "../../base/figures.ts";
import { meanRowsOf } from "../../replay/summary.ts";
import type { LongestWait } from "../longest-waits.ts";
import { distanceSection } from "./distance-section.ts";
import { costRatio, geometricMean, meets, type PairingResult, shareText } from "./pairing-result.ts";
import { ownSeeds, type PolicyResult, type Reference, resultsSeed } from "../pairings.ts";

interface OwnResult extends PairingResult {
  readonly own: PolicyResult;
  /** The cheapest of the other policies that meet the quantile. */
  readonly cheapest: PolicyResult | undefined;
  /** The cheapest reference that meets the quantile. */
  readonly reference: Reference | undefined;
  readonly edgeFirst: Reference | undefined;
}

/** @param waits what the longest wait does, by pairing */
export function resultsPage(
  pairings: readonly PairingResult[],
  waits: ReadonlyMap<string, readonly LongestWait[]>,
): string {
  const owns = pairings.map(ownResult);
  return `# Results

What each policy of this repository comes to on recorded and made-up traces, replayed under virtual time with
seed ${resultsSeed}. Made by \`npm run results\`, which reads traces and scenarios from \`shared/data\` beside the
repository and writes this page; every figure is computed, none is typed in, and the same seed gives the same
figures on every machine. A policy meets the SLO quantile when at least that share of all requests, with those
that were refused or failed among them, was answered within the SLO. Only functions cost money. Latencies are
of the requests that were answered. Policies with parameters were given the best ones for each trace in hindsight
(\`--tune\`); \`spillway\` knows nothing of the trace before it comes. How \`spillway\` varies with the seed, and how far it
is from the best that is possible, is below.

${pairings.map(pairingSection).join("\n")}
${ownSection(owns)}
${seedSection(owns)}
${distanceSection(owns)}
${waits.size === 0 ? "" : `${waitSection(waits)}\n`}## What falls short

${shortfalls(owns).join("\n")}
`;
}

function pairingSection({ pairing, sloMs, sloQuantile, results }: PairingResult): string {
  const { requests, currency } = results[0] as PolicyResult;
  const ratePerS = requests / (pairing.toS - pairing.fromS);
  const rows = results.map((result) => {
    const { policy, costPer1000, limitRatio, inSloShare, latencyMs, targets } = result;
    const cells = [
      policy,
      figure(costPer1000),
      figure(limitRatio),
      percent(inSloShare),
      `${figure(latencyMs.p50)} / ${figure(latencyMs.p99)}`,
      percent(targets["edge"]?.share ?? null),
      `${figure(meanRowsOf(result, "edge"))} / ${figure(meanRowsOf(result, "serverless"))}`,
      meets(result, sloQuantile) ? "yes" : "no",
    ];
    return `| ${cells.join(" | ")} |\n`;
  });
  return `## ${pairing.name}

${requests} requests, ${figure(ratePerS)} a second on average; SLO ${sloMs} ms for ${shareText(sloQuantile)} of them.

| policy | ${currency} per 1000 | ratio to limit | in SLO | p50 / p99 ms | edge share | mean batch edge / functions | meets the quantile |
|---|---|---|---|---|---|---|---|
${rows.join("")}`;
}

function ownSection(owns: readonly OwnResult[]): string {
  const rows = owns.map((result) => {
    const { pairing, own, sloQuantile, cheapest, reference, edgeFirst, reservedRatio } = result;
    const cells = [
      pairing.name,
      `${percent(own.inSloShare)} of ${shareText(sloQuantile)}`,
      cheapest === undefined ? "-" : `${costRatio(own, cheapest.costPer1000)} (${cheapest.policy})`,
      reference === undefined ? "-" : `${costRatio(own, reference.costPer1000)} (${reference.policy})`,
      edgeFirst === undefined ? "-" : costRatio(own, edgeFirst.costPer1000),
      `${figure(own.limitRatio)} / ${figure(reservedRatio)}`,
    ];
    return `| ${cells.join(" | ")} |\n`;
  });
  const mean = meanRatioToEdgeFirst(owns);
  return `## The policy \`spillway\`

Its cost as a ratio to the cheapest other policy above that meets the quantile; to the cheapest reference policy that
does (written apart from this repository, tuned in hindsight on the same arrivals, though drawn by other code); to the
reference \`edge-first\` where that meets it; and to the physical limit, with service times at their median and at
the 0.99 that a dispatcher reserves. Below 1 it is the cheaper one.

| pairing | in SLO | to the cheapest policy | to the cheapest reference | to \`edge-first\` | to the limit at 0.5 / 0.99 |
|---|---|---|---|---|---|
${rows.join("")}
${mean === null ? "" : `The geometric mean of the ratios to \`edge-first\` is ${figure(mean)}.\n`}`;
}

function seedSection(owns: readonly OwnResult[]): string {
  const rows = owns.map(({ pairing, bySeed, sloQuantile }) => {
    const met = bySeed.filter((each) => meets(each, sloQuantile)).length;
    const cells = [
      pairing.name,
      medianAndRange(bySeed.map(({ costPer1000 }) => costPer1000 ?? 0)).map(figure),
      medianAndRange(bySeed.map(({ inSloShare }) => inSloShare ?? 0)).map(percent),
    ].map((cell) => (typeof cell === "string" ? cell : `${cell[0]} (${cell[1]} to ${cell[2]})`));
    return `| ${[...cells, `${met} of ${bySeed.length}`].join(" | ")} |\n`;
  });
  return `### With other seeds

The policy \`spillway\` with the seeds ${ownSeeds.join(", ")}, of which arrivals (where the trace has rates only), service times and
cold starts are drawn: median, least and most.

| pairing | cost per 1000 | in SLO | seeds that meet the quantile |
|---|---|---|---|
${rows.join("")}`;
}

/** Median, least and most. */
function medianAndRange(values: readonly number[]): [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  return [median(sorted), sorted[0] as number, sorted.at(-1) as number];
}

function waitSection(waits: ReadonlyMap<string, readonly LongestWait[]>): string {
  const rows = [...waits].flatMap(([name, each]) =>
    each.map(({ timeoutS, summary }) => {
      const { costPer1000, inSloShare, latencyMs } = summary;
      const cells = [
        name,
        timeoutS === undefined ? "not given" : figure(timeoutS),
        figure(costPer1000),
        percent(inSloShare),
        `${figure(latencyMs.p50)} / ${figure(latencyMs.p99)}`,
        `${figure(meanRowsOf(summary, "edge"))} / ${figure(meanRowsOf(summary, "serverless"))}`,
      ];
      return `| ${cells.join(" | ")} |\n`;
    }),
  );
  return `## What the longest wait costs

The policy \`spillway\` with each \`--timeout\`: how long a request waits for others at most before it goes to a function. A
shorter wait lowers the latency of what overflows, and makes smaller calls, which cost more.

| pairing | \`--timeout\` s | cost per 1000 | in SLO | p50 / p99 ms | mean batch edge / functions |
|---|---|---|---|---|---|
${rows.join("")}`;
}

function ownResult(result: PairingResult): OwnResult {
  const { results, sloQuantile, references } = result;
  const own = results.find(({ policy }) => policy === "spillway") as PolicyResult;
  const others = results.filter((each) => each !== own && meets(each, sloQuantile));
  const cheapest = others.toSorted((a, b) => a.cost - b.cost)[0];
  const able = references.filter((each) => each.meets).toSorted((a, b) => a.costPer1000 - b.costPer1000);
  const edgeFirst = able.find(({ policy }) => policy.startsWith("edge-first"));
  return { ...result, own, cheapest, reference: able[0], edgeFirst };
}

function meanRatioToEdgeFirst(owns: readonly OwnResult[]): number | null {
  const ratios = owns.flatMap(({ own, edgeFirst }) =>
    edgeFirst === undefined || edgeFirst.costPer1000 === 0 || own.costPer1000 === null
      ? []
      : [own.costPer1000 / edgeFirst.costPer1000],
  );
  return geometricMean(ratios);
}

/** Sentences: where `spillway` is not the best choice, and what the tables do not say. */
function shortfalls(owns: readonly OwnResult[]): string[] {
  const missed = owns
    .filter(({ bySeed, sloQuantile }) => bySeed.some((each) => !meets(each, sloQuantile)))
    .map(({ pairing, bySeed, sloQuantile }) => {
      const least = bySeed.reduce((least, { inSloShare }) => Math.min(least, inSloShare ?? 0), 1);
      return `${pairing.name} (with one seed ${percent(least)} in SLO of ${shareText(sloQuantile)})`;
    });
  const beaten = owns.flatMap(({ pairing, own, cheapest }) =>
    cheapest === undefined || cheapest.cost >= own.cost
      ? []
      : [`${pairing.name} (${cheapest.policy}; the cost ratio is ${costRatio(own, cheapest.costPer1000)})`],
  );
  const alone = owns.flatMap(({ pairing, cheapest }) => (cheapest === undefined ? [pairing.name] : []));
  const nowhere = replayPolicyNames.filter((name) =>
    owns.every(({ results, sloQuantile }) =>
      results.every((result) => result.policy !== name || !meets(result, sloQuantile)),
    ),
  );
  return [
    missed.length === 0
      ? "`spillway` meets the quantile on every pairing, with every seed."
      : `\`spillway\` misses the quantile on ${missed.join(", ")}.`,
    beaten.length === 0
      ? "On no pairing is another policy cheaper that meets the quantile."
      : `Another policy, tuned in hindsight, is cheaper and meets the quantile on ${beaten.join(", ")}.`,
    ...(alone.length === 0
      ? []
      : [`No other policy meets the quantile on ${alone.join(", ")}, so there is no cost to compare with.`]),
    ...(nowhere.length === 0 ? [] : [`On no pairing at all is the quantile met by ${nowhere.join(", ")}.`]),
    `Every figure of another policy is of seed ${resultsSeed}.`,
  ];
}
