/** The page of results. Every sentence with a figure in it is computed from the replays. */
import { replayPolicyNames } from "../replay/peers/registry.ts";
import { figure, percent } from "../base/figures.ts";
import { meanRowsOf, type ReplaySummary } from "../replay/summary.ts";
import type { LongestWait } from "./longest-waits.ts";
import { type Pairing, type PolicyResult, type Reference, resultsSeed } from "./pairings.ts";

export interface PairingResult {
  readonly pairing: Pairing;
  readonly sloMs: number;
  readonly sloQuantile: number;
  readonly results: readonly PolicyResult[];
  /** Cost of `spillway` over the limit at the quantile that a careful dispatcher reserves; null where that is 0. */
  readonly reservedRatio: number | null;
  readonly references: readonly Reference[];
}

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
(\`--tune\`); \`spillway\` knows nothing of the trace before it comes.

${pairings.map(pairingSection).join("\n")}
${ownSection(owns)}
${waitSection(waits)}
## What falls short

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

${requests} requests, ${figure(ratePerS)} a second on average; SLO ${sloMs} ms for ${share(sloQuantile)} of them.

| policy | ${currency} per 1000 | ratio to limit | in SLO | p50 / p99 ms | edge share | mean batch edge / functions | meets the quantile |
|---|---|---|---|---|---|---|---|
${rows.join("")}`;
}

function ownSection(owns: readonly OwnResult[]): string {
  const rows = owns.map((result) => {
    const { pairing, own, sloQuantile, cheapest, reference, edgeFirst, reservedRatio } = result;
    const cells = [
      pairing.name,
      `${percent(own.inSloShare)} of ${share(sloQuantile)}`,
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
${mean === undefined ? "" : `The geometric mean of the ratios to \`edge-first\` is ${figure(mean)}.\n`}`;
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

function meanRatioToEdgeFirst(owns: readonly OwnResult[]): number | undefined {
  const ratios = owns.flatMap(({ own, edgeFirst }) =>
    edgeFirst === undefined || edgeFirst.costPer1000 === 0 || own.costPer1000 === null
      ? []
      : [own.costPer1000 / edgeFirst.costPer1000],
  );
  if (ratios.length === 0) return undefined;
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** Sentences: where `spillway` is not the best choice, and what the tables do not say. */
function shortfalls(owns: readonly OwnResult[]): string[] {
  const missed = owns
    .filter(({ own, sloQuantile }) => !meets(own, sloQuantile))
    .map(({ pairing, own, sloQuantile }) => {
      return `${pairing.name} (${percent(own.inSloShare)} in SLO of ${share(sloQuantile)})`;
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
      ? "`spillway` meets the quantile on every pairing."
      : `\`spillway\` misses the quantile on ${missed.join(", ")}.`,
    beaten.length === 0
      ? "On no pairing is another policy cheaper that meets the quantile."
      : `Another policy, tuned in hindsight, is cheaper and meets the quantile on ${beaten.join(", ")}.`,
    ...(alone.length === 0
      ? []
      : [`No other policy meets the quantile on ${alone.join(", ")}, so there is no cost to compare with.`]),
    ...(nowhere.length === 0 ? [] : [`On no pairing at all is the quantile met by ${nowhere.join(", ")}.`]),
    "Every figure is of one seed.",
  ];
}

function meets({ inSloShare }: ReplaySummary, quantile: number): boolean {
  return inSloShare !== null && inSloShare >= quantile;
}

function costRatio({ costPer1000 }: ReplaySummary, to: number | null): string {
  if (costPer1000 === null || to === null) return "-";
  if (to === 0) return costPer1000 === 0 ? "1" : "∞";
  return figure(costPer1000 / to);
}

/** A quantile of a scenario as it was written: 0.99 is 99 %. */
function share(quantile: number): string {
  return `${figure(quantile * 100)} %`;
}
