/** Rules that a run of any policy must keep, checked by what was sent and how requests ended, without its word. */
import { type BatchSent, targetOf } from "../../replay/world/batch-sent.ts";
import type { Scenario } from "../../replay/world/scenario.ts";
import type { Ended } from "./policy-run.ts";

/** An answer that is late by less is late by rounding only, in milliseconds. */
const roundingMs = 1e-6;

export interface PolicyRun {
  readonly sent: readonly BatchSent[];
  readonly ended: readonly Ended[];
}

interface Rules {
  readonly scenario: Scenario;
  /** Moments in milliseconds by id. */
  readonly arrivals: readonly number[];
  readonly rowsOf: (id: number) => number;
}

/** What is wrong with a run in a world in which anything may happen; empty when nothing is. */
export function brokenRules({ sent, ended }: PolicyRun, { scenario, arrivals, rowsOf }: Rules): string[] {
  const broken: string[] = [];
  const named = [...scenario.edges, ...scenario.serverless.sizes];
  const mostRows = new Map(named.map(({ name, service }) => [name, service.maxRows]));
  const answered = new Set<number>();
  for (const each of sent) {
    const { batch, formedAtMs, end } = each;
    const name = targetOf(each);
    const requests = batch.parts.map(({ payload }) => payload);
    const rows = requests.reduce((sum, { id }) => sum + rowsOf(id), 0);
    if (rows !== batch.rows) broken.push(`a batch of ${rows} rows says it has ${batch.rows}`);
    if (rows > (mostRows.get(name) as number)) broken.push(`${name} is sent ${rows} rows at once`);
    for (const { id, arrivedAtMs } of requests) {
      if (formedAtMs < arrivedAtMs) broken.push(`${id} leaves before it arrives`);
      if (formedAtMs >= arrivedAtMs + scenario.sloMs) broken.push(`${id} leaves after its deadline`);
      if (answered.has(id)) broken.push(`${id} is sent again although it is answered`);
      if (end.ok) answered.add(id);
    }
  }
  const ends = new Map<number, number>();
  for (const { id, arrivedAtMs, atMs, outcome } of ended) {
    ends.set(id, (ends.get(id) ?? 0) + 1);
    if (outcome === "served" && atMs > arrivedAtMs + scenario.sloMs) broken.push(`${id} is served too late`);
  }
  for (const id of arrivals.keys()) {
    if (ends.get(id) !== 1) broken.push(`${id} ends ${ends.get(id) ?? 0} times`);
  }
  return broken;
}

/**
 * Requests that were lost although a function that was called when they arrived would have served them: at some
 * moment the policy let the last chance of such a request pass. For worlds without faults, cold starts and want of
 * instances, with one service time a batch size, where uploads to functions take no time.
 */
export function needlesslyLost({ ended }: PolicyRun, { scenario, rowsOf }: Rules): string[] {
  const { serverless, sloMs } = scenario;
  return ended.flatMap(({ id, outcome, arrivedAtMs, atMs }) => {
    const isRounding = outcome === "late" && atMs < arrivedAtMs + sloMs + roundingMs;
    if (outcome === "served" || isRounding) return [];
    const rows = rowsOf(id);
    const able = serverless.sizes.filter(({ service }) => rows <= service.maxRows);
    const fastestMs = Math.min(...able.map(({ service }) => service.quantileMs(rows, 0.5)));
    const spareMs = sloMs - serverless.link.rttMs - fastestMs;
    return spareMs >= 0
      ? [`${id}, arrived at ${arrivedAtMs}, had ${spareMs} ms to wait and was ${outcome} at ${atMs}`]
      : [];
  });
}
