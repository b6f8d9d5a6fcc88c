/**
 * Writes `docs/results.md`: every policy on every pairing of a trace and a scenario, replayed by the program as a
 * user runs it. Traces and scenarios lie beside the repository; without them nothing is written.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type PolicyName, policyNames } from "../client/policies/registry.ts";
import { figure, percent } from "../replay/figures.ts";
import { parseScenario } from "../replay/scenario.ts";
import { meanFunctionRows, type ReplaySummary } from "../replay/summary.ts";

interface Pairing {
  readonly name: string;
  /** Relative to the folder of the data. */
  readonly trace: string;
  readonly scenario: string;
  readonly scale: number;
  readonly fromS: number;
  readonly toS: number;
}

type PolicyResult = ReplaySummary & { readonly policy: PolicyName };

interface PairingResult {
  readonly pairing: Pairing;
  readonly sloMs: number;
  readonly sloQuantile: number;
  readonly results: readonly PolicyResult[];
}

interface OwnResult {
  readonly name: string;
  readonly sloQuantile: number;
  readonly own: PolicyResult;
  /** The cheapest of the other policies that meet the quantile. */
  readonly cheapest: PolicyResult | undefined;
}

const root = new URL("../../", import.meta.url);
const data = new URL("../shared/data/", root);
const executable = fileURLToPath(new URL("../cli.js", import.meta.url));
const seed = 1;

const pairingsFile = new URL("pairings.json", data);
if (existsSync(pairingsFile)) {
  const pairings = JSON.parse(readFileSync(pairingsFile, "utf8")) as Pairing[];
  writeFileSync(new URL("docs/results.md", root), page(await Promise.all(pairings.map(replayPairing))));
} else {
  console.log(`${fileURLToPath(pairingsFile)}: no such file; docs/results.md is left as it is`);
}

async function replayPairing(pairing: Pairing): Promise<PairingResult> {
  const scenarioPath = fileURLToPath(new URL(pairing.scenario, data));
  const { sloMs, sloQuantile } = parseScenario(readFileSync(scenarioPath, "utf8"), scenarioPath);
  const files = ["--trace", fileURLToPath(new URL(pairing.trace, data)), "--scenario", scenarioPath];
  const span = ["--from", String(pairing.fromS), "--to", String(pairing.toS)];
  const draws = ["--scale", String(pairing.scale), "--seed", String(seed)];
  const flags = ["replay", "--compare", "all", "--json", ...files, ...span, ...draws];
  const { stdout } = await promisify(execFile)(process.execPath, [executable, ...flags]);
  console.log(`${pairing.name}: replayed`);
  return { pairing, sloMs, sloQuantile, results: JSON.parse(stdout) as PolicyResult[] };
}

function page(pairings: readonly PairingResult[]): string {
  return `# Results

What each policy of this repository comes to on recorded and made-up traces, replayed under virtual time with
seed ${seed}. Made by \`npm run results\`, which reads traces and scenarios from \`shared/data\` beside the
repository and writes this page; every figure is computed, none is typed in, and the same seed gives the same
figures on every machine. A policy meets the SLO quantile when at least that share of all requests, with those
that were refused or failed among them, was answered within the SLO. Only functions cost money. Latencies are
of the requests that were answered.

${pairings.map(pairingSection).join("\n")}
${ownSection(pairings)}`;
}

function pairingSection({ pairing, sloMs, sloQuantile, results }: PairingResult): string {
  const { requests, currency } = results[0] as PolicyResult;
  const ratePerS = requests / (pairing.toS - pairing.fromS);
  const rows = results.map((result) => {
    const { policy, costPer1000, inSloShare, latencyMs, targets } = result;
    const cells = [
      policy,
      figure(costPer1000),
      percent(inSloShare),
      `${figure(latencyMs.p50)} / ${figure(latencyMs.p99)}`,
      percent(targets["edge"]?.share ?? null),
      `${figure(targets["edge"]?.meanBatchRows ?? null)} / ${figure(meanFunctionRows(result))}`,
      meets(result, sloQuantile) ? "yes" : "no",
    ];
    return `| ${cells.join(" | ")} |\n`;
  });
  return `## ${pairing.name}

${requests} requests, ${figure(ratePerS)} a second on average; SLO ${sloMs} ms for ${share(sloQuantile)} of them.

| policy | ${currency} per 1000 | in SLO | p50 / p99 ms | edge share | mean batch edge / functions | meets the quantile |
|---|---|---|---|---|---|---|
${rows.join("")}`;
}

function ownSection(pairings: readonly PairingResult[]): string {
  const owns = pairings.map(ownResult);
  const rows = owns.map((result) => {
    const { name, sloQuantile, own, cheapest } = result;
    const ratio = cheapest === undefined ? "-" : `${costRatio(own, cheapest)} (${cheapest.policy})`;
    return `| ${name} | ${percent(own.inSloShare)} | ${share(sloQuantile)} | ${ratio} |\n`;
  });
  return `## The policy \`spillway\`

The last column is its cost as a ratio to the cheapest other policy above that meets the quantile; below 1 it is
the cheaper one.

| pairing | in SLO | quantile | cost ratio |
|---|---|---|---|
${rows.join("")}
## What falls short

${shortfalls(pairings, owns).join("\n")}
`;
}

function ownResult({ pairing, sloQuantile, results }: PairingResult): OwnResult {
  const own = results.find(({ policy }) => policy === "spillway") as PolicyResult;
  const others = results.filter((result) => result !== own && meets(result, sloQuantile));
  const cheapest = others.toSorted((a, b) => a.cost - b.cost)[0];
  return { name: pairing.name, sloQuantile, own, cheapest };
}

/** Sentences: where `spillway` is not the best choice, and what the tables cannot tell. */
function shortfalls(pairings: readonly PairingResult[], owns: readonly OwnResult[]): string[] {
  const missed = owns
    .filter(({ own, sloQuantile }) => !meets(own, sloQuantile))
    .map(
      ({ name, own, sloQuantile }) => `${name} (${percent(own.inSloShare)} in SLO of ${share(sloQuantile)})`,
    );
  const beaten = owns.flatMap(({ name, own, cheapest }) =>
    cheapest === undefined || cheapest.cost >= own.cost
      ? []
      : [`${name} (${cheapest.policy}; the cost ratio is ${costRatio(own, cheapest)})`],
  );
  const alone = owns.flatMap(({ name, cheapest }) => (cheapest === undefined ? [name] : []));
  const nowhere = policyNames.filter((name) =>
    pairings.every(({ results, sloQuantile }) =>
      results.every((result) => result.policy !== name || !meets(result, sloQuantile)),
    ),
  );
  return [
    missed.length === 0
      ? "`spillway` meets the quantile on every pairing."
      : `\`spillway\` misses the quantile on ${missed.join(", ")}.`,
    beaten.length === 0
      ? "On no pairing is another policy cheaper that meets the quantile."
      : `Another policy is cheaper and meets the quantile on ${beaten.join(", ")}.`,
    ...(alone.length === 0
      ? []
      : [`No other policy meets the quantile on ${alone.join(", ")}, so there is no cost to compare with.`]),
    ...(nowhere.length === 0 ? [] : [`On no pairing at all is the quantile met by ${nowhere.join(", ")}.`]),
    "Policies with parameters have their defaults here; tuned in hindsight (`--tune`) they come closer, or pass.",
    "Every figure is of one seed.",
  ];
}

function meets({ inSloShare }: ReplaySummary, quantile: number): boolean {
  return inSloShare !== null && inSloShare >= quantile;
}

function costRatio(of: ReplaySummary, to: ReplaySummary): string {
  if (to.cost === 0) return of.cost === 0 ? "1" : "∞";
  return figure(of.cost / to.cost);
}

/** A quantile of a scenario as it was written: 0.99 is 99 %. */
function share(quantile: number): string {
  return `${figure(quantile * 100)} %`;
}
