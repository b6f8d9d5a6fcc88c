/** The page of results. Every sentence with a figure in it is computed from the replays. */
import { figure, percent } from "../../base/figures.ts";
import { besideLimit, type ScenarioLimit } from "../../replay/limit/scenario-limit.ts";
import { replayPolicyNames } from "../../replay/peers/registry.ts";
import { meanRowsOf, meetsSlo, type ReplaySummary } from "../../replay/summary.ts";
import { ablationSection } from "./ablation-section.ts";
import { distanceSection } from "./distance-section.ts";
import { type OwnResult, ownResult, ownSection } from "./own-section.ts";
import { costRatio, type PairingResult, quantileText, table, windowsS } from "./pairing-result.ts";
import { ownSeeds, resultsSeed } from "./pairings.ts";
import type { PolicyResult } from "./replays.ts";

export function resultsPage(pairings: readonly PairingResult[]): string {
  const owns = pairings.map(ownResult);
  return `# Results

What each policy of this repository comes to on recorded and made-up traces, replayed under virtual time. Made by
\`npm run results\`, which reads traces and scenarios from \`shared/data\` beside the repository and writes this page; every
figure is computed, none is typed in, and the same seed gives the same figures on every machine. Where nothing else is said
the seed is ${resultsSeed}. A policy meets the SLO quantile when at least that share of all requests, with those that were refused
or failed among them, was answered within the SLO; where there are lanes, each must meet its own. Only functions cost
money. Latencies are of the requests that were answered. Policies with parameters were given the best ones for each trace
in hindsight (\`--tune\`); \`spillway\` knows nothing of the trace before it comes.

${owns.map(pairingSection).join("\n")}
${ownSection(owns)}
${distanceSection(owns)}
${waitSection(owns)}${ablationSection(owns)}
## What falls short

${shortfalls(owns).join("\n")}
`;
}

function pairingSection(result: OwnResult): string {
  const { pairing, scenario, peers, bySeed, spentBySeed } = result;
  const { limits, summary: own } = bySeed[0]!;
  const limit = limits!.median;
  const policies = [
    ...peers.map((peer) => [peer.policy, peer] as const),
    ["spillway", own] as const,
    [`spillway, allowance spent`, spentBySeed[0]!.summary] as const,
  ];
  const { sloMs, lanes } = scenario;
  const slos = Object.entries(lanes).map(([name, lane]) => `${lane.sloMs} ms in the lane ${name}`);
  return `## ${pairing.name}

${own.requests} requests, ${figure(own.requests / (pairing.toS - pairing.fromS))} a second on average; \
SLO ${slos.length === 0 ? `${sloMs} ms` : slos.join(", ")} for ${quantileText(scenario)} of them.

${table(
  [
    "policy",
    `${own.currency} per 1000`,
    "ratio to limit",
    "in SLO",
    "p50 / p99 ms",
    "edge share",
    "mean batch edge / functions",
    "meets the quantile",
  ],
  policies.map(([name, summary]) => [
    name,
    ...cellsOf(summary, limit),
    meetsSlo(summary, scenario) ? "yes" : "no",
  ]),
)}`;
}

function cellsOf(summary: ReplaySummary, limit: ScenarioLimit): string[] {
  const { costPer1000, inSloShare, latencyMs } = summary;
  return [
    figure(costPer1000),
    figure(besideLimit(summary, limit).limitRatio),
    percent(inSloShare),
    `${figure(latencyMs.p50)} / ${figure(latencyMs.p99)}`,
    percent(edgeShare(summary)),
    meanRows(summary),
  ];
}

/** Of the served requests, those that edges served. */
function edgeShare({ served, targets }: ReplaySummary): number | null {
  const edges = Object.values(targets).filter(({ kind }) => kind === "edge");
  return served === 0 ? null : edges.reduce((sum, edge) => sum + (edge.share ?? 0), 0);
}

function meanRows(summary: ReplaySummary): string {
  return `${figure(meanRowsOf(summary, "edge"))} / ${figure(meanRowsOf(summary, "serverless"))}`;
}

function waitSection(owns: readonly OwnResult[]): string {
  const rows = owns.flatMap(({ pairing, bySeed, waits }) => {
    if (waits.length === 0) return [];
    const all = [{ timeoutS: undefined, summary: bySeed[0]!.summary }, ...waits];
    return all.map(({ timeoutS, summary }) => [
      pairing.name,
      timeoutS === undefined ? "not given" : figure(timeoutS),
      figure(summary.costPer1000),
      percent(summary.inSloShare),
      `${figure(summary.latencyMs.p50)} / ${figure(summary.latencyMs.p99)}`,
      meanRows(summary),
    ]);
  });
  if (rows.length === 0) return "";
  return `## What the longest wait costs

The policy \`spillway\` with each \`--timeout\`: how long a request waits for others at most before it goes to a function. A
shorter wait lowers the latency of what overflows, and makes smaller calls, which cost more.

${table(["pairing", "`--timeout` s", "cost per 1000", "in SLO", "p50 / p99 ms", "mean batch edge / functions"], rows)}
`;
}

/** Sentences: where `spillway` is not the best choice, and what the tables do not say. */
function shortfalls(owns: readonly OwnResult[]): string[] {
  const alone = owns.flatMap(({ pairing, cheapest }) => (cheapest === undefined ? [pairing.name] : []));
  const nowhere = replayPolicyNames.filter((name) =>
    owns.every(({ peers, scenario, bySeed }) =>
      name === "spillway"
        ? bySeed.every(({ summary }) => !meetsSlo(summary, scenario))
        : peers.every((peer) => peer.policy !== name || !meetsSlo(peer, scenario)),
    ),
  );
  return [
    missesOf(owns, "`spillway`", ({ bySeed }) => bySeed),
    missesOf(owns, `\`spillway --spend-allowance ${windowsS[0]}\``, ({ spentBySeed }) => spentBySeed),
    ...dearerThan(owns),
    ...(alone.length === 0
      ? []
      : [
          `No other policy of this repository meets the quantile on ${alone.join(", ")}, so there is no cost to compare with.`,
        ]),
    ...(nowhere.length === 0 ? [] : [`On no pairing at all is the quantile met by ${nowhere.join(", ")}.`]),
    `Every figure of another policy is of seed ${resultsSeed}.`,
  ];
}

function missesOf(
  owns: readonly OwnResult[],
  name: string,
  replaysOf: (own: OwnResult) => OwnResult["bySeed"],
): string {
  const missed = owns.flatMap((own) => {
    const shares = replaysOf(own)
      .filter(({ summary }) => !meetsSlo(summary, own.scenario))
      .map(({ summary }) => percent(summary.inSloShare));
    return shares.length === 0 ? [] : [`${own.pairing.name} (${shares.join(", ")} in SLO)`];
  });
  if (missed.length === 0)
    return `${name} meets the quantile on every pairing, with each of ${ownSeeds.length} seeds.`;
  return `${name} misses the quantile on ${missed.join(", ")}.`;
}

function dearerThan(owns: readonly OwnResult[]): string[] {
  const than = (
    peerOf: (own: OwnResult) => { readonly policy: string; readonly costPer1000: number | null } | undefined,
  ) =>
    owns.flatMap((own) => {
      const peer = peerOf(own);
      const summary = { costPer1000: own.cost };
      if (peer === undefined || peer.costPer1000 === null || own.cost <= peer.costPer1000) return [];
      return [
        `${own.pairing.name} (${peer.policy}; the cost ratio is ${costRatio(summary, peer.costPer1000)})`,
      ];
    });
  const policies = than(({ cheapest }) => cheapest satisfies PolicyResult | undefined);
  const references = than(({ reference }) => reference);
  return [
    policies.length === 0
      ? "On no pairing is another policy cheaper that meets the quantile."
      : `Another policy, tuned in hindsight, is cheaper and meets the quantile on ${policies.join(", ")}.`,
    references.length === 0
      ? "On no pairing is a reference policy cheaper that meets the quantile."
      : `A reference policy is cheaper and meets the quantile on ${references.join(", ")}.`,
  ];
}
