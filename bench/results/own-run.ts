/** One replay of `spillway` on a pairing, as a user sets it or without one of its parts. */
import type { Policy } from "../../client/policies/policy.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { spillwayPolicy } from "../../client/policies/spillway/spillway.ts";
import { readWorld } from "../../replay/command/replay-world.ts";
import { type ScenarioLimit, scenarioLimit } from "../../replay/limit/scenario-limit.ts";
import { replayTrace } from "../../replay/run.ts";
import type { ReplaySummary } from "../../replay/summary.ts";
import { surveyArrivals } from "../../replay/traces/arrival-survey.ts";
import { readArrivals } from "../../replay/traces/arrivals.ts";
import type { BatchSent } from "../../replay/world/batch-sent.ts";
import { type AblationName, ablations } from "./ablations.ts";
import { type Pairing, scenarioPath, tracePath } from "./pairings.ts";

export interface OwnRun {
  readonly pairing: Pairing;
  readonly seed: number;
  /** `--spend-allowance`. */
  readonly spendAllowanceS?: number;
  /** `--timeout`. */
  readonly timeoutS?: number;
  readonly without?: AblationName;
  /** Whether the physical limits are worked out, too. */
  readonly hasLimits?: boolean;
}

export interface OwnReplay {
  readonly summary: ReplaySummary;
  /** The least share in SLO of any minute that ends with a request and has enough of them. */
  readonly worstMinute: number;
  /** At median service times, and at those that a careful dispatcher reserves. */
  readonly limits?: { readonly median: ScenarioLimit; readonly reserved: ScenarioLimit };
}

/** The quantile that a careful dispatcher reserves. */
export const reservedQuantile = 0.99;

const minuteMs = 60_000;
/** Minutes with fewer requests are not judged. */
export const fewestRequests = 100;

export async function runOwn(run: OwnRun): Promise<OwnReplay> {
  const { pairing, seed, without } = run;
  const { fromS, toS, scale } = pairing;
  const world = readWorld(tracePath(pairing), scenarioPath(pairing));
  const range = { seed, fromS, toS, scale };
  const answers = new Answers();
  const policy = (inputs: PolicyInputs): Policy => {
    const all = { ...inputs, spendAllowanceMs: inMs(run.spendAllowanceS), maxWaitMs: inMs(run.timeoutS) };
    return without === undefined ? spillwayPolicy(all) : ablations[without].policy(all);
  };
  const summary = await replayTrace({ ...world, ...range, policy, onBatch: (sent) => answers.add(sent) });
  const { sloMs, lanes } = world.scenario;
  const arrivedAtMs: number[] = [];
  const isLost: boolean[] = [];
  for await (const block of readArrivals(world.trace, range)) {
    for (const { atS, rows, lane } of block) {
      const id = arrivedAtMs.push(atS * 1_000) - 1;
      isLost.push(!(answers.atMs(id, rows) <= atS * 1_000 + (lanes[lane]?.sloMs ?? sloMs) + 1e-6));
    }
  }
  const found = { summary, worstMinute: worstMinute(arrivedAtMs, isLost) };
  if (run.hasLimits !== true) return found;
  const survey = await surveyArrivals(world.trace, range);
  const longestSloMs = Math.max(sloMs, ...Object.values(lanes).map((lane) => lane.sloMs));
  const limitAt = (quantile: number): ScenarioLimit =>
    scenarioLimit(survey, world.profiles, longestSloMs, quantile).limit;
  return { ...found, limits: { median: limitAt(0.5), reserved: limitAt(reservedQuantile) } };
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : 1_000 * seconds;
}

/** When each request was answered, by its id. */
class Answers {
  readonly #rows: number[] = [];
  readonly #atMs: number[] = [];

  add({ batch, end }: BatchSent): void {
    if (!end.ok) return;
    for (const { payload, fromRow, toRow } of batch.parts) {
      this.#rows[payload.id] = (this.#rows[payload.id] ?? 0) + toRow - fromRow;
      this.#atMs[payload.id] = Math.max(this.#atMs[payload.id] ?? 0, end.seenAtMs);
    }
  }

  /** Infinity when some of its rows were not answered. */
  atMs(id: number, rows: number): number {
    return (this.#rows[id] ?? 0) < rows ? Infinity : (this.#atMs[id] as number);
  }
}

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
