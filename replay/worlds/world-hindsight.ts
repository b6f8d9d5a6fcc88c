/** The best that is known of a generated world: a schedule that a search with full knowledge finds. */
import { quantileOfSorted } from "../../base/quantile.ts";
import { findSchedule } from "../hindsight/find-schedule.ts";
import { playSchedule } from "../hindsight/play.ts";
import type { HindsightWorld } from "../hindsight/schedule.ts";
import { parseScenario } from "../world/scenario.ts";
import type { GeneratedWorld, ScenarioFile } from "./generated-world.ts";
import { JudgedRequests } from "./judged-requests.ts";
import type { WorldReplay } from "./replay-world.ts";
import type { KnownSchedule } from "./world-verdict.ts";

/** The quantile that stands for all times in a world without luck. */
const carefulQuantile = 0.9;

/**
 * @example
 * worldHindsight(generatedWorld(7), { sheetOf: readPriceSheet }); // { by: "hindsight", share: 0.9901, cost: 0.0021 }
 */
export function worldHindsight(
  world: GeneratedWorld,
  { sheetOf }: Pick<WorldReplay, "sheetOf">,
  by = "hindsight",
): KnownSchedule {
  const { scenario, arrivalsS, judgedFrom, seed } = world;
  const known: HindsightWorld = {
    scenario: parseScenario(JSON.stringify(scenario), scenario.name),
    sheet: sheetOf(scenario.serverless.prices),
    arrivals: {
      atMs: Float64Array.from(arrivalsS, (atS) => atS * 1_000),
      rows: new Uint32Array(arrivalsS.length).fill(1),
    },
    seed,
  };
  // As many of all requests may be lost as of those that are judged.
  const judgedPart = 1 - judgedFrom / arrivalsS.length;
  const { schedule, cost } = findSchedule(known, { share: 1 - (1 - scenario.sloQuantile) * judgedPart });
  const judged = new JudgedRequests(world);
  playSchedule(known, schedule, { onBatch: (sent) => judged.sent(sent) });
  return { by, share: judged.inSloShare, cost };
}

/**
 * The same world, in which every batch and every cold start takes its 0.9 quantile. A schedule for it owes nothing to
 * knowing which batch will be quick.
 */
export function withoutLuck(world: GeneratedWorld): GeneratedWorld {
  const { scenario } = world;
  const { edge, serverless } = scenario;
  const changed: ScenarioFile = {
    ...scenario,
    edge: withSureTimes(edge),
    serverless: {
      ...serverless,
      coldStartMs: [careful(serverless.coldStartMs)],
      sizes: serverless.sizes.map(withSureTimes),
    },
  };
  return { ...world, scenario: changed };
}

function withSureTimes<T extends { readonly serviceMs: Readonly<Record<string, readonly number[]>> }>(
  target: T,
): T {
  const times = Object.entries(target.serviceMs).map(([rows, samples]) => [rows, [careful(samples)]]);
  return { ...target, serviceMs: Object.fromEntries(times) as T["serviceMs"] };
}

function careful(samples: readonly number[]): number {
  return quantileOfSorted(Float64Array.from(samples).sort(), carefulQuantile);
}
