/** The page of the price of splitting, and its chart. Every figure is computed. */
import { figure, percent } from "../../base/figures.ts";
import { renderCharts } from "../../replay/report/chart.ts";

export interface SplittingRow {
  readonly shape: string;
  /** Times the edges' best rate. */
  readonly load: number;
  readonly cells: readonly {
    readonly owners: number;
    readonly share: number;
    readonly costPer1000: number;
    /** Share of the requests that functions served. */
    readonly atFunctions: number;
  }[];
}

export interface SplittingFacts {
  readonly rows: readonly SplittingRow[];
  readonly edges: number;
  readonly requests: number;
  readonly sloMs: number;
  /** The edges' best rate. */
  readonly ratePerS: number;
}

const shapes: Readonly<Record<string, string>> = { constant: "steady", spikes: "with spikes" };

export function splittingPage({ rows, edges, requests, sloMs, ratePerS }: SplittingFacts): string {
  const owners = rows[0]?.cells.map(({ owners: count }) => count) ?? [];
  const table = (textOf: (cell: SplittingRow["cells"][number]) => string): string =>
    [
      line(["load", ...owners.map((count) => (count === 1 ? "1 owner" : `${count}`))]),
      line(["---", ...owners.map(() => "---")]),
      ...rows.map((row) => line([caseOf(row), ...row.cells.map(textOf)])),
    ].join("");
  return `# The price of splitting

One owner of a model sees all of its requests and all of its edges. Where one owner is not enough, the stream is split: each
owner gets a part of the requests, by a digest of their ids, and a share of the edges, as \`--join-owners\` does
([NATS](../guide/nats.md#how-many-owners-and-how-far-a-hub-goes)). It then happens that requests of one
owner wait, or go to functions, while an edge of another owner idles, and that batches are smaller. This page says what that
costs. Made by \`npm run splitting\`: the queue and the policy \`spillway\` run in virtual time in one world of ${edges} edges
alike and a function; links, replicas, instances and service times are the same however many owners there are. An edge serves
1 to 8 rows in 95 to 200 ms; all edges together serve ${figure(ratePerS)} requests a second at best. ${figure(requests)} requests of
one row arrive in each case, as a Poisson process, beginning with
no instance warm, with an SLO of ${figure(sloMs)} ms. A load of 0.9 is that part of the edges' best
rate.

![Share of the requests that functions serve, by the number of owners](splitting.svg)

## Share in SLO

${table(({ share }) => percent(share))}
## Cost of 1000 requests

In US dollars; edges cost nothing.

${table(({ costPer1000 }) => figure(costPer1000))}
## Share of the requests that functions serve

${table(({ atFunctions }) => percent(atFunctions))}
## What follows

${rows.map(sentence).join("\n")}
`;
}

/** The chart as an SVG. */
export async function drawSplitting(rows: readonly SplittingRow[]): Promise<string> {
  const [svg = ""] = await renderCharts([
    {
      title: "",
      caption: "",
      height: 320,
      option: {
        legend: { top: 0 },
        grid: { left: 60, right: 20, top: 40, bottom: 50 },
        xAxis: {
          type: "category",
          name: "owners",
          nameLocation: "middle",
          nameGap: 30,
          data: rows[0]?.cells.map(({ owners }) => `${owners}`) ?? [],
        },
        yAxis: { type: "value", name: "% at functions" },
        series: rows.map((row) => ({
          name: caseOf(row),
          type: "line",
          data: row.cells.map(({ atFunctions }) => 100 * atFunctions),
        })),
      },
    },
  ]);
  return svg;
}

function sentence(row: SplittingRow): string {
  const [one, last] = [row.cells[0], row.cells.at(-1)] as [
    SplittingRow["cells"][number],
    SplittingRow["cells"][number],
  ];
  const dearer =
    one.costPer1000 === 0
      ? `${figure(last.costPer1000)} dollars instead of nothing`
      : `${figure(last.costPer1000 / one.costPer1000)} times the cost`;
  return `- Load ${caseOf(row)}: ${last.owners} owners instead of one mean ${dearer}, and ${percent(last.share)} in SLO instead of ${percent(one.share)}.`;
}

function caseOf({ shape, load }: SplittingRow): string {
  return `${load}, ${shapes[shape] ?? shape}`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}
