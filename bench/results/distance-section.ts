/** The section of the results that shows both ends: what nobody can go below, and what somebody has reached. */
import { figure, percent } from "../../base/figures.ts";
import { mostPartRequests } from "./distance.ts";
import { resultsSeed } from "./pairings.ts";
import { costRatio, geometricMean, type PairingResult, table } from "./pairing-result.ts";

export function distanceSection(results: readonly PairingResult[]): string {
  const rows = results.map(({ pairing, distance }) => {
    if (distance === undefined) return [pairing.name, ...Array.from({ length: 7 }, () => "-")];
    const { part, own, known } = distance;
    return [
      pairing.name,
      `${part.fromS} s to ${part.toS} s, ${own.requests} requests`,
      figure(own.limit.costPer1000),
      figure(known.costPer1000),
      figure(own.costPer1000),
      `${percent(known.inSloShare)} / ${percent(own.inSloShare)}`,
      costRatio(known, own.limit.costPer1000),
      costRatio(own, known.costPer1000),
    ];
  });
  const mean = geometricMean(
    results.flatMap(({ distance }) =>
      distance === undefined || distance.known.cost === 0 ? [] : [distance.own.cost / distance.known.cost],
    ),
  );
  return `## How far from perfect

The cost of \`spillway\` between two ends. The physical limit is the least that answering every request in time can cost,
at median service times. The best known schedule was found by \`spillway replay --hindsight\`, which knows all
arrivals, service times, cold starts and faults, for at least the share in SLO that \`spillway\` serves. It is carried out
under the same physics, so it shows what is possible; a better one may exist. A policy that does not know the future
cannot be expected to reach it. It is not searched where there are lanes.

These replays are of a part of each trace, because a search takes minutes: the busiest whole seconds with at most
${mostPartRequests} requests (of all spans that are as long as that allows, the one with the highest rate). They begin there
with nothing learned and nothing warm, and faults count from there. So the costs are not those of the tables above. Costs
are per 1000 requests, seconds those of the trace, the seed is ${resultsSeed}. What leaves requests outside the SLO can be below
the limit.

${table(
  [
    "pairing",
    "part",
    "physical limit",
    "best known schedule",
    "`spillway`",
    "in SLO, schedule / `spillway`",
    "schedule / limit",
    "`spillway` / schedule",
  ],
  rows,
)}
${mean === null ? "" : `The geometric mean of the ratios of \`spillway\` to the schedule is ${figure(mean)}.\n`}`;
}
