/**
 * Writes `docs/reference/allowance.md`: what `--spend-allowance` saves on recorded and made-up traces, and what it does to the
 * share of requests in the SLO in the worst minute. Without the traces beside the repository, nothing is written.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { median } from "simple-statistics";
import { figure, percent } from "../base/figures.ts";
import { spillwayPolicy } from "../client/policies/spillway/spillway.ts";
import { readWorld } from "../replay/command/replay-world.ts";
import { replayTrace } from "../replay/run.ts";
import { ownSeeds, type Pairing, readPairings, resultsSeed, scenarioPath, tracePath } from "./pairings.ts";

/** Values of `--spend-allowance` in seconds, the first one with all seeds. */
const windowsS = [60, 600, 3_600] as const;
const minuteMs = 60_000;
/** Minutes with fewer requests are not judged. */
const fewestRequests = 100;

interface Spent {
  readonly cost: number;
  readonly inSloShare: number;
  /** The least share in SLO of any minute. */
  readonly worstMinute: number;
  readonly late: number;
  readonly refused: number;
}

interface Line {
  readonly kind: string;
  readonly id: number;
  readonly atMs: number;
  readonly requests?: readonly number[];
  readonly answeredAtMs?: number;
}

async function spend(pairing: Pairing, seed: number, windowS: number | undefined): Promise<Spent> {
  const { fromS, toS, scale } = pairing;
  const world = readWorld(tracePath(pairing), scenarioPath(pairing));
  const arrivedAtMs: number[] = [];
  const answeredAtMs: number[] = [];
  const write = (text: string): void => {
    const line = JSON.parse(text) as Line;
    if (line.kind === "arrival") arrivedAtMs.push(line.atMs);
    if (line.kind !== "batch" || line.answeredAtMs === undefined) return;
    for (const id of line.requests ?? []) answeredAtMs[id] = line.answeredAtMs;
  };
  const spendAllowanceMs = windowS === undefined ? undefined : 1_000 * windowS;
  const policy: typeof spillwayPolicy = (inputs) => spillwayPolicy({ ...inputs, spendAllowanceMs });
  const log = { write, flush: () => Promise.resolve() };
  const summary = await replayTrace({ ...world, policy, log, seed, fromS, toS, scale });
  const { sloMs } = world.scenario;
  const isLate = arrivedAtMs.map((atMs, id) => !((answeredAtMs[id] ?? Infinity) <= atMs + sloMs + 1e-6));
  const { cost, inSloShare, requests, served, inSlo } = summary;
  return {
    cost,
    inSloShare: inSloShare ?? 1,
    worstMinute: worstMinute(arrivedAtMs, isLate),
    late: served - inSlo,
    refused: requests - served,
  };
}

/** Of all minutes that end with an arrival. */
function worstMinute(arrivedAtMs: readonly number[], isLost: readonly boolean[]): number {
  let worst = 1;
  let lost = 0;
  let first = 0;
  for (const [last, atMs] of arrivedAtMs.entries()) {
    if (isLost[last]) lost++;
    for (; (arrivedAtMs[first] as number) <= atMs - minuteMs; first++) if (isLost[first]) lost--;
    const requests = last - first + 1;
    if (requests >= fewestRequests) worst = Math.min(worst, 1 - lost / requests);
  }
  return worst;
}

interface PairingSpent {
  readonly name: string;
  /** By seed. */
  readonly without: readonly Spent[];
  readonly spent: readonly Spent[];
  /** With the longer windows, with the first seed. */
  readonly longer: readonly Spent[];
}

async function spendOn(pairing: Pairing): Promise<PairingSpent> {
  const [shortest, ...longer] = windowsS;
  const all = async (windowS: number | undefined): Promise<Spent[]> => {
    const spent: Spent[] = [];
    for (const seed of ownSeeds) spent.push(await spend(pairing, seed, windowS));
    return spent;
  };
  const found = { name: pairing.name, without: await all(undefined), spent: await all(shortest) };
  const longest: Spent[] = [];
  for (const windowS of longer) longest.push(await spend(pairing, resultsSeed, windowS));
  console.error(`${pairing.name}: replayed`);
  return { ...found, longer: longest };
}

function ratioOf(spent: readonly Spent[], without: readonly Spent[]): number {
  return median(spent.map(({ cost }, index) => cost / (without[index] as Spent).cost));
}

function least(spent: readonly Spent[], figureOf: (each: Spent) => number): number {
  return Math.min(...spent.map(figureOf));
}

function sum(spent: readonly Spent[], figureOf: (each: Spent) => number): number {
  return spent.reduce((total, each) => total + figureOf(each), 0);
}

function mean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((total, ratio) => total + Math.log(ratio), 0) / ratios.length);
}

function pageOf(pairings: readonly PairingSpent[]): string {
  const rows = pairings.map(({ name, without, spent }) => {
    const [lateBefore, late] = [sum(without, (each) => each.late), sum(spent, (each) => each.late)];
    const refused = sum(spent, (each) => each.refused) - sum(without, (each) => each.refused);
    const cells = [
      name,
      figure(ratioOf(spent, without)),
      `${percent(least(without, (each) => each.inSloShare))} / ${percent(least(spent, (each) => each.inSloShare))}`,
      `${percent(least(without, (each) => each.worstMinute))} / ${percent(least(spent, (each) => each.worstMinute))}`,
      `${late - lateBefore} / ${refused}`,
    ];
    return `| ${cells.join(" | ")} |\n`;
  });
  const windowRows = pairings.map(({ name, without, spent, longer }) => {
    const first = [spent[0] as Spent, ...longer];
    const cells = first.map((each) => {
      const share = `${percent(each.inSloShare)}, ${percent(each.worstMinute)}`;
      return `${figure(each.cost / (without[0] as Spent).cost)} (${share})`;
    });
    return `| ${[name, ...cells].join(" | ")} |\n`;
  });
  const means = [
    mean(pairings.map(({ spent, without }) => ratioOf(spent, without))),
    ...windowsS.slice(1).map((_, index) => {
      return mean(pairings.map(({ longer, without }) => ratioOf([longer[index] as Spent], without)));
    }),
  ];
  return `# What spending the allowance saves

\`spillway\` with \`--spend-allowance\` beside \`spillway\` without it ([how it works](policies.md#spending-the-allowance)), on
the traces and scenarios of the [results](results.md). Made by \`npm run allowance\`; every figure is computed.

With a window of ${windowsS[0]} s, and the seeds ${ownSeeds.join(", ")}: the cost as a part of what it is without the option (median),
the least share of requests in SLO, the same of any minute (of those that end with a request and have ${fewestRequests} or more), and how many
requests more were answered late, or refused, with all seeds together. Minutes are judged with all losses, also those
that nobody chose.

| pairing | cost | in SLO, without / with | in the worst minute, without / with | more late / refused |
|---|---|---|---|---|
${rows.join("")}
The longer the window, the more requests of a burst may be given up, and the worse is the worst minute. The cost with each
window as a part of that without, with the share in SLO and that of the worst minute, and the seed ${resultsSeed}:

| pairing | ${windowsS.map((each) => `${each} s`).join(" | ")} |
|---|${windowsS.map(() => "---|").join("")}
${windowRows.join("")}
The geometric means are ${means.map(figure).join(", ")}.
`;
}

const pairings = readPairings();
if (pairings === undefined) {
  console.error("../shared/data/pairings.json: no such file; docs/reference/allowance.md is left as it is");
} else {
  const found: PairingSpent[] = [];
  for (const pairing of pairings) found.push(await spendOn(pairing));
  const file = fileURLToPath(new URL("../../docs/reference/allowance.md", import.meta.url));
  writeFileSync(file, pageOf(found));
  execFileSync("npx", ["oxfmt", file]);
}
