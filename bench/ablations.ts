/** The worth of each part of the learning: `spillway` with one part switched off, beside the whole. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LearningPart, learningParts } from "../client/policies/policy-inputs.ts";
import { figure, percent } from "../base/figures.ts";
import type { ReplaySummary } from "../replay/summary.ts";
import { type Pairing, replayPairing, scenarioPath } from "./pairings.ts";

interface Ablation {
  readonly name: string;
  readonly whole: ReplaySummary;
  readonly without: ReadonlyMap<LearningPart, ReplaySummary>;
}

/** How much slower the edge of the stale pairing is than its profile: too little to count as drift. */
const staleFactor = 1.15;
/** A pairing whose cost depends on its edge. */
const stalePairing = "conv-critical";

export async function ablations(pairings: readonly Pairing[]): Promise<Ablation[]> {
  const folder = mkdtempSync(join(tmpdir(), "spillway-results-"));
  try {
    const results: Ablation[] = [];
    for (const pairing of pairings) results.push(await ablation(pairing, pairing.name, []));
    for (const pairing of pairings.filter(({ name }) => name === stalePairing)) {
      const scenario = join(folder, `${pairing.name}.json`);
      writeFileSync(scenario, staleScenario(pairing));
      const name = `${pairing.name}, edge ${Math.round((staleFactor - 1) * 100)} % slower than its profile`;
      results.push(await ablation(pairing, name, ["--scenario", scenario]));
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function ablation(pairing: Pairing, name: string, flags: readonly string[]): Promise<Ablation> {
  const replay = (...more: string[]): Promise<unknown> =>
    replayPairing(pairing, ["--policy", "spillway", ...flags, ...more]);
  const whole = (await replay()) as ReplaySummary;
  const without = new Map<LearningPart, ReplaySummary>();
  for (const part of learningParts) without.set(part, (await replay("--without", part)) as ReplaySummary);
  console.log(`${name}: without each part`);
  return { name, whole, without };
}

/** The same world, with an edge that was faster when it was profiled. */
function staleScenario(pairing: Pairing): string {
  const scenario = JSON.parse(readFileSync(scenarioPath(pairing), "utf8")) as { faults?: object[] };
  const slow = { kind: "edge-slow", fromMs: 0, toMs: 1e12, factor: staleFactor };
  return JSON.stringify({ ...scenario, faults: [...(scenario.faults ?? []), slow] });
}

export function ablationSection(results: readonly Ablation[]): string {
  const rows = results.map(({ name, whole, without }) => {
    const cells = learningParts.map((part) => cell(without.get(part) as ReplaySummary));
    return `| ${[name, cell(whole), ...cells].join(" | ")} |\n`;
  });
  return `## What each part of the learning is worth

Cost per 1000 and share in SLO of \`spillway\`, whole and with one part switched off (\`--without\`): the detector of
changes of the rate, the renewal of models by real batches (refit), the margin that follows late answers, the
detection of drift of targets and links. The worst that each is off by:

${learningParts.map((part) => `- ${worst(part, results)}`).join("\n")}

| pairing | whole | ${learningParts.map((part) => `without ${part}`).join(" | ")} |
|---|---|${learningParts.map(() => "---|").join("")}
${rows.join("")}`;
}

function cell({ costPer1000, inSloShare }: ReplaySummary): string {
  return `${figure(costPer1000)}, ${percent(inSloShare)}`;
}

/** The pairings where a part matters most, by cost and by share in SLO. */
function worst(part: LearningPart, results: readonly Ablation[]): string {
  const costRatio = ({ whole, without }: Ablation): number =>
    (without.get(part)?.cost ?? 0) / Math.max(whole.cost, Number.MIN_VALUE);
  const lost = ({ whole, without }: Ablation): number =>
    (whole.inSloShare ?? 0) - (without.get(part)?.inSloShare ?? 0);
  const dearest = results.toSorted((a, b) => costRatio(b) - costRatio(a))[0] as Ablation;
  const latest = results.toSorted((a, b) => lost(b) - lost(a))[0] as Ablation;
  return (
    `without ${part}: ${figure(costRatio(dearest))} times the cost on ${dearest.name};` +
    ` ${percent(lost(latest))} of the requests less in SLO on ${latest.name}`
  );
}
