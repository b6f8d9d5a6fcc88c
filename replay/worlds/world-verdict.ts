/**
 * Whether `spillway` meets the quantile of a generated world, and if not, whether it could be met at all: by a policy that
 * replay has for comparison, or else by the best schedule that a search with full knowledge finds.
 */
import { bestChance } from "./best-chance.ts";
import { policyWith, type ReplayPolicyName } from "../peers/registry.ts";
import type { GeneratedWorld } from "./generated-world.ts";
import { replayWorld, type WorldReplay } from "./replay-world.ts";

/** A schedule that shows what can be had. */
export interface KnownSchedule {
  readonly by: string;
  readonly share: number;
  readonly cost: number;
}

export interface WorldVerdict {
  readonly seed: number;
  readonly sloQuantile: number;
  /** Of `spillway`: requests in time, and what it paid. */
  readonly share: number;
  readonly cost: number;
  /** The largest share in time that a policy can expect, which does not know how long a batch will take. */
  readonly chance: number;
  /** `met`: by `spillway`; `missed`: by `spillway` alone; `unmet`: nobody knows how to meet it. */
  readonly kind: "met" | "missed" | "unmet";
  /** The schedule that met the quantile where `spillway` did not, or of those tried the one that served most in time. */
  readonly best?: KnownSchedule;
}

/** What can be had in a world, as far as somebody knows. */
export type WorldOracle = (world: GeneratedWorld) => KnownSchedule;

/** Those that sometimes meet a quantile which `spillway` misses. */
const rivals: readonly ReplayPolicyName[] = ["serverless-only", "harmonybatch", "edge-only"];

export interface VerdictOptions extends Pick<WorldReplay, "sheetOf"> {
  /** Asked in this order, where no policy meets the quantile. */
  readonly oracles?: readonly WorldOracle[];
}

/**
 * @example
 * (await judgeWorld(generatedWorld(7), { sheetOf: readPriceSheet })).kind; // "met"
 */
export async function judgeWorld(world: GeneratedWorld, options: VerdictOptions): Promise<WorldVerdict> {
  const { oracles = [] } = options;
  const { sloQuantile } = world.scenario;
  const { sheetOf } = options;
  const own = await replayWorld(world, { policy: policyWith("spillway"), sheetOf });
  const facts = {
    seed: world.seed,
    sloQuantile,
    share: own.share,
    cost: own.cost,
    chance: bestChance(world),
  };
  if (own.share >= sloQuantile) return { ...facts, kind: "met" };
  let best: KnownSchedule | undefined;
  const candidates = [
    ...rivals.map((name) => () => replayWorld(world, { policy: policyWith(name), sheetOf })),
    ...oracles.map((oracle) => async () => oracle(world)),
  ];
  for (const candidate of candidates) {
    const schedule = await candidate();
    if (best === undefined || schedule.share > best.share) best = schedule;
    if (schedule.share >= sloQuantile) return { ...facts, kind: "missed", best: schedule };
  }
  return best === undefined ? { ...facts, kind: "unmet" } : { ...facts, kind: "unmet", best };
}

/** Of the worlds whose quantile somebody meets, the part in which `spillway` does not. */
export function missedPart(verdicts: readonly WorldVerdict[]): number {
  const possible = verdicts.filter(({ kind }) => kind !== "unmet").length;
  return possible === 0 ? 0 : verdicts.filter(({ kind }) => kind === "missed").length / possible;
}

/** How many of these worlds were missed though a policy met the quantile that knows nothing of the future, either. */
export function missedBySimple(verdicts: readonly WorldVerdict[]): number {
  const names: readonly string[] = rivals;
  return verdicts.filter(({ kind, best }) => kind === "missed" && names.includes(best?.by ?? "")).length;
}

/**
 * How many of these worlds were missed though a schedule met the quantile, but none did that knows only when requests come: it
 * also needed to know which batch or cold start would be quick. No policy can know that, so a miss here says little of one.
 */
export function missedByLuck(verdicts: readonly WorldVerdict[]): number {
  return verdicts.filter(({ kind, best }) => kind === "missed" && best?.by === "hindsight").length;
}

/** How many of these worlds were missed in which no policy can expect to meet the quantile: a lone request may be too late. */
export function missedByChance(verdicts: readonly WorldVerdict[]): number {
  return verdicts.filter(({ kind, chance, sloQuantile }) => kind === "missed" && chance < sloQuantile).length;
}

/** One line for a world that was not met. */
export function verdictText({ seed, sloQuantile, share, cost, chance, best }: WorldVerdict): string {
  const own = `world ${seed}: ${percent(share)} in time for ${cost.toPrecision(4)}, wanted ${percent(sloQuantile)}`;
  const luck = chance < sloQuantile ? `; a lone request is in time in ${percent(chance)} of cases` : "";
  if (best === undefined) return own + luck;
  return `${own}; ${best.by} ${percent(best.share)} for ${best.cost.toPrecision(4)}${luck}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
