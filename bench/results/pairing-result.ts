/** What the replays of a pairing came to, and how pages write of it. */
import { median } from "simple-statistics";
import { figure } from "../../base/figures.ts";
import { replayPolicyNames } from "../../replay/peers/registry.ts";
import type { ReplaySummary } from "../../replay/summary.ts";
import type { Scenario } from "../../replay/world/scenario.ts";
import { type AblationName, ablationNames } from "./ablations.ts";
import { type Distance, distanceOf } from "./distance.ts";
import type { OwnReplay } from "./own-run.ts";
import { ownSeeds, type Pairing, type Reference, resultsSeed, pairingScenario } from "./pairings.ts";
import type { PolicyResult, Replays } from "./replays.ts";

/** Values of `--spend-allowance` in seconds: the default, with all seeds, then others. */
export const windowsS = [600, 60, 3_600] as const;

/** Values of `--timeout` in seconds. */
const timeoutsS = [0, 0.05, 0.1, 0.2, 0.4, 0.8] as const;
/** One with an edge that is seldom full, and one with an edge that is full all the time. */
const waitPairings: ReadonlySet<string> = new Set(["code-gpu1s", "worldcup-overload"]);

/** What `spillway` came to with `--spend-allowance`, and without. */
export interface SpentResult {
  readonly pairing: Pairing;
  /** By seed, the one of all policies first. */
  readonly bySeed: readonly OwnReplay[];
  /** The same with the default window of `--spend-allowance`. */
  readonly spentBySeed: readonly OwnReplay[];
  /** With the other windows, with the first seed. */
  readonly others: readonly OwnReplay[];
}

export interface PairingResult extends SpentResult {
  readonly scenario: Scenario;
  readonly peers: readonly PolicyResult[];
  /** Without each part, with the first seed. */
  readonly ablated: ReadonlyMap<AblationName, OwnReplay>;
  /** With each longest wait. */
  readonly waits: readonly { readonly timeoutS: number; readonly summary: ReplaySummary }[];
  readonly distance: Distance | undefined;
  readonly references: readonly Reference[];
}

export async function spentResultOf(pairing: Pairing, replays: Replays): Promise<SpentResult> {
  const own = (seed: number, spendAllowanceS?: number): Promise<OwnReplay> =>
    replays.ofSpillway({
      pairing,
      seed,
      ...(spendAllowanceS === undefined ? { hasLimits: seed === resultsSeed } : { spendAllowanceS }),
    });
  const [usual, ...rest] = windowsS;
  const [bySeed, spentBySeed, others] = await Promise.all([
    Promise.all(ownSeeds.map((seed) => own(seed))),
    Promise.all(ownSeeds.map((seed) => own(seed, usual))),
    Promise.all(rest.map((windowS) => own(resultsSeed, windowS))),
  ]);
  return { pairing, bySeed, spentBySeed, others };
}

export async function pairingResultOf(
  pairing: Pairing,
  replays: Replays,
  references: readonly Reference[],
): Promise<PairingResult> {
  const names = replayPolicyNames.filter((name) => name !== "spillway");
  const seed = resultsSeed;
  const timeouts = waitPairings.has(pairing.name) ? timeoutsS : [];
  const [distance, spent, peers, ablated, waits] = await Promise.all([
    distanceOf(pairing, replays),
    spentResultOf(pairing, replays),
    Promise.all(names.map((name) => replays.ofPeer(pairing, name))),
    Promise.all(
      ablationNames.map(async (without) => {
        return [without, await replays.ofSpillway({ pairing, seed, without })] as const;
      }),
    ),
    Promise.all(
      timeouts.map(async (timeoutS) => {
        return { timeoutS, summary: (await replays.ofSpillway({ pairing, seed, timeoutS })).summary };
      }),
    ),
  ]);
  const scenario = pairingScenario(pairing);
  return { ...spent, scenario, peers, ablated: new Map(ablated), waits, distance, references };
}

export function costRatio({ costPer1000 }: Pick<ReplaySummary, "costPer1000">, to: number | null): string {
  if (costPer1000 === null || to === null) return "-";
  if (to === 0) return costPer1000 === 0 ? "1" : "∞";
  return figure(costPer1000 / to);
}

/** Null without ratios. */
export function geometricMean(ratios: readonly number[]): number | null {
  if (ratios.length === 0) return null;
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** A quantile of a scenario as it was written: 0.99 is 99 %. */
export function shareText(quantile: number): string {
  return `${figure(quantile * 100)} %`;
}

/** The quantile that must be met: of each lane where there are lanes. */
export function quantileText({ sloQuantile, lanes }: Scenario): string {
  const ofLanes = Object.values(lanes).map((lane) => shareText(lane.sloQuantile));
  return ofLanes.length === 0 ? shareText(sloQuantile) : [...new Set(ofLanes)].join(" / ");
}

/** Median, least and most: `2 (1 to 3)`. */
export function medianAndRange(values: readonly number[], textOf: (value: number) => string): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${textOf(median([...values]))} (${textOf(least)} to ${textOf(most)})`;
}

/** Median cost per 1000 over seeds. */
export function medianCost(replays: readonly OwnReplay[]): number {
  return median(replays.map(({ summary }) => summary.costPer1000 ?? 0));
}

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`);
  return lines.join("");
}
