/** What replays came to in a sentence or two, as a person would say it. */
import { figure, percent } from "../../base/figures.ts";
import { meetsSlo, type ReplaySummary } from "../summary.ts";
import type { Scenario } from "../world/scenario.ts";

type Judged = Pick<ReplaySummary, "requests" | "inSloShare" | "cost" | "currency" | "lanes">;

/** One replay and what it is called. */
export interface NamedRun {
  readonly policy: string;
  readonly summary: Judged;
}

type PromisedSlo = Pick<Scenario, "sloMs" | "sloQuantile" | "lanes">;

/** Policies that are named of those that miss the SLO. */
const mostNamed = 12;

/** Whether the policy met the SLO; false when nothing arrived. */
export function hasMetSlo(summary: Judged, scenario: Pick<Scenario, "sloQuantile" | "lanes">): boolean {
  return summary.requests > 0 && meetsSlo(summary, scenario);
}

/** The cheapest that met the SLO; the search that knows the future is no policy. */
export function cheapestOf<Run extends NamedRun>(
  runs: readonly Run[],
  scenario: PromisedSlo,
): Run | undefined {
  return inOrder(runs, scenario).find(({ summary }) => hasMetSlo(summary, scenario));
}

/** The best first: those that met the SLO by their cost, then the others by the share that they answered in time. */
export function inOrder<Run extends NamedRun>(runs: readonly Run[], scenario: PromisedSlo): Run[] {
  const policies = runs.filter(({ policy }) => policy !== "hindsight");
  const met = policies.filter(({ summary }) => hasMetSlo(summary, scenario));
  const missed = policies.filter((run) => !met.includes(run));
  return [
    ...met.toSorted(
      (a, b) => a.summary.cost - b.summary.cost || (b.summary.inSloShare ?? 0) - (a.summary.inSloShare ?? 0),
    ),
    ...missed.toSorted((a, b) => (b.summary.inSloShare ?? 0) - (a.summary.inSloShare ?? 0)),
  ];
}

/**
 * @param runs at least one
 *
 * @example
 * headline([spillway, fixed, greedy], scenario);
 * // "Of 3 policies spillway is the cheapest that meets the SLO (99 % within 1000 ms): 99.95 % for 1.2 CNY; next is fixed for
 * // 2.1 CNY. greedy misses it."
 */
export function headline(runs: readonly NamedRun[], scenario: PromisedSlo): string {
  const promise = `the SLO (${scenario.sloQuantile * 100} % within ${figure(scenario.sloMs)} ms${Object.keys(scenario.lanes).length === 0 ? "" : ", and each lane its own"})`;
  const [first] = runs as readonly [NamedRun];
  if (first.summary.requests === 0) return "No request arrived.";
  if (runs.length === 1) {
    const verdict = hasMetSlo(first.summary, scenario) ? "meets" : "misses";
    return `${first.policy} ${verdict} ${promise}: ${resultText(first)}, of ${first.summary.requests.toLocaleString("en")} requests.`;
  }
  const order = inOrder(runs, scenario);
  const met = order.filter(({ summary }) => hasMetSlo(summary, scenario));
  const missed = order.slice(met.length).map(({ policy }) => policy);
  const [best] = met;
  if (best === undefined) {
    const [nearest] = order;
    return `None of ${order.length} policies meets ${promise}; ${nearest?.policy} comes nearest: ${nearest === undefined ? "" : resultText(nearest)}.`;
  }
  const tied = met.filter(({ summary }) => summary.cost === best.summary.cost).map(({ policy }) => policy);
  const which =
    tied.length === 1
      ? `${best.policy} is the cheapest that meets`
      : `${tied.slice(0, -1).join(", ")} and ${tied.at(-1)} are the cheapest that meet`;
  const next = met[tied.length];
  const second = next === undefined ? "" : `; next is ${next.policy} for ${money(next)}`;
  const others =
    missed.length === 0
      ? "All meet it."
      : `${missed.slice(0, mostNamed).join(", ")}${missed.length > mostNamed ? ` and ${missed.length - mostNamed} more` : ""} ${missed.length === 1 ? "misses" : "miss"} it.`;
  return `Of ${order.length} policies ${which} ${promise}: ${resultText(best)}${second}. ${others}`;
}

function resultText(run: NamedRun): string {
  return `${percent(run.summary.inSloShare)} for ${money(run)}`;
}

function money({ summary: { cost, currency } }: NamedRun): string {
  return `${figure(cost)} ${currency}`;
}
