/** The section of the results on `spillway` itself: what it costs over seeds, beside the others. */
import { figure, percent } from "../../base/figures.ts";
import { meetsSlo } from "../../replay/summary.ts";
import type { OwnReplay } from "./own-run.ts";
import { reservedQuantile } from "./own-run.ts";
import {
  geometricMean,
  medianAndRange,
  medianCost,
  type PairingResult,
  quantileText,
  table,
  windowsS,
} from "./pairing-result.ts";
import { ownSeeds, type Reference } from "./pairings.ts";
import type { PolicyResult } from "./replays.ts";

export interface OwnResult extends PairingResult {
  /** Median cost per 1000 over seeds. */
  readonly cost: number;
  /** The same with the allowance spent. */
  readonly spentCost: number;
  /** The cheapest of the other policies that meet the quantile. */
  readonly cheapest: PolicyResult | undefined;
  /** The cheapest reference that meets the quantile. */
  readonly reference: Reference | undefined;
  /** Whether it meets the quantile or not. */
  readonly edgeFirst: Reference | undefined;
}

export function ownResult(result: PairingResult): OwnResult {
  const { peers, scenario, references, bySeed, spentBySeed } = result;
  const able = peers.filter((peer) => meetsSlo(peer, scenario)).toSorted((a, b) => a.cost - b.cost);
  const ableReferences = references
    .filter((each) => each.meets)
    .toSorted((a, b) => a.costPer1000 - b.costPer1000);
  return {
    ...result,
    cost: medianCost(bySeed),
    spentCost: medianCost(spentBySeed),
    cheapest: able[0],
    reference: ableReferences[0],
    edgeFirst: references.find(({ policy }) => policy.startsWith("edge-first")),
  };
}

export function ownSection(owns: readonly OwnResult[]): string {
  return `## The policy \`spillway\`

With the seeds ${ownSeeds.join(", ")}, of which arrivals (where the trace has rates only), service times and cold starts are
drawn: the median, with the least and the most. The allowance is spent with \`--spend-allowance ${windowsS[0]}\`
([what that does](allowance.md)).

${seedTable(owns)}
The median cost as a ratio to that of the cheapest reference policy that meets the quantile (written apart from this
repository, tuned in hindsight on the same arrivals, though drawn by other code); to the reference \`edge-first\`, in
brackets where that misses the quantile; to the cheapest other policy above that meets it; and to the physical limit, with
service times at their median and at the ${reservedQuantile} that a dispatcher reserves. Below 1 \`spillway\` is the cheaper one. Two
figures are without and with the allowance spent.

${ratioTable(owns)}
${meanTable(owns)}`;
}

function seedTable(owns: readonly OwnResult[]): string {
  const cells = (replays: readonly OwnReplay[], { scenario }: OwnResult): string[] => [
    medianAndRange(
      replays.map(({ summary }) => summary.costPer1000 ?? 0),
      figure,
    ),
    medianAndRange(
      replays.map(({ summary }) => summary.inSloShare ?? 0),
      percent,
    ),
    `${replays.filter(({ summary }) => meetsSlo(summary, scenario)).length} of ${replays.length}`,
  ];
  const rows = owns.flatMap((own) => [
    [own.pairing.name, quantileText(own.scenario), "kept", ...cells(own.bySeed, own)],
    ["", "", "spent", ...cells(own.spentBySeed, own)],
  ]);
  const head = [
    "pairing",
    "quantile",
    "allowance",
    "cost per 1000",
    "in SLO",
    "seeds that meet the quantile",
  ];
  return table(head, rows);
}

function ratioTable(owns: readonly OwnResult[]): string {
  const rows = owns.map((own) => {
    const { pairing, reference, edgeFirst, cheapest, bySeed } = own;
    const { median, reserved } = bySeed[0]!.limits!;
    const first = both(own, edgeFirst?.costPer1000);
    return [
      pairing.name,
      named(both(own, reference?.costPer1000), reference?.policy),
      edgeFirst?.meets === false ? `[${first}]` : first,
      named(both(own, cheapest?.costPer1000), cheapest?.policy),
      both(own, median.costPer1000),
      both(own, reserved.costPer1000),
    ];
  });
  const head = ["pairing", "to the cheapest reference", "to `edge-first`", "to the cheapest policy"];
  return table([...head, "to the limit at 0.5", `at ${reservedQuantile}`], rows);
}

function meanTable(owns: readonly OwnResult[]): string {
  const isPlain = ({ scenario }: OwnResult): boolean =>
    scenario.edges.length === 1 && Object.keys(scenario.lanes).length === 0;
  const groups: readonly (readonly [string, readonly OwnResult[]])[] = [
    ["where `edge-first` meets the quantile", owns.filter(({ edgeFirst }) => edgeFirst?.meets)],
    ["with one edge and no lanes", owns.filter(isPlain)],
    ["all", owns],
  ];
  const rows = groups.map(([name, group]) => {
    const known = group.flatMap(({ edgeFirst, ...own }) =>
      edgeFirst === undefined || edgeFirst.costPer1000 === 0 ? [] : [{ ...own, to: edgeFirst.costPer1000 }],
    );
    return [
      `${name} (${known.length})`,
      figure(geometricMean(known.map(({ cost, to }) => cost / to))),
      figure(geometricMean(known.map(({ spentCost, to }) => spentCost / to))),
    ];
  });
  return `The geometric means of the ratios to \`edge-first\`:

${table(["pairings", "allowance kept", "spent"], rows)}`;
}

/** The ratios to that cost, without and with the allowance spent. */
function both({ cost, spentCost }: OwnResult, to: number | null | undefined): string {
  if (to === undefined || to === null || to === 0) return "-";
  return `${figure(cost / to)} / ${figure(spentCost / to)}`;
}

function named(text: string, name: string | undefined): string {
  return name === undefined ? text : `${text} (${name})`;
}
