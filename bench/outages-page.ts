/** The page of outages. Every figure is computed. */
import { figure, percent } from "../base/figures.ts";

/** What became of requests. */
export interface OutageCell {
  readonly requests: number;
  /** Answered within the SLO. */
  readonly inTime: number;
  /** Of those that were answered in time; undefined when none was. */
  readonly medianMs: number | undefined;
  /** Cost of 1000 requests of the whole run. */
  readonly costPer1000: number;
}

export interface OutageRow {
  readonly outage: string;
  readonly perS: number;
  readonly sloMs: number;
  /** By policy. */
  readonly cells: readonly (OutageCell & {
    /** Requests that were lost although a target could have served them. */
    readonly lostForNothing: number;
  })[];
}

export interface OverloadRow {
  readonly factor: number;
  readonly cells: readonly (OutageCell & {
    /** Most requests that anybody could answer in time. */
    readonly limit: number;
    /** From the end of the overload until the last request arrived that was lost. */
    readonly recoveredAfterMs: number;
  })[];
}

export interface OutagesPageFacts {
  /** Policies of the tables with an edge. */
  readonly names: readonly string[];
  /** Policies of the table without one. */
  readonly alone: readonly string[];
  readonly edge: readonly OutageRow[];
  readonly functions: readonly OutageRow[];
  readonly overload: readonly OverloadRow[];
  readonly overloadSloMs: number;
  /** Requests that are answered in time in so many small overloads, and the most that any schedule answers. */
  readonly smallCases: {
    readonly own: number;
    readonly best: number;
    readonly cases: number;
    readonly requests: number;
  };
}

export function outagesPage(facts: OutagesPageFacts): string {
  const { own, best, cases, requests } = facts.smallCases;
  return `# Outages and overload

What becomes of requests while a target fails, and when more come than the edge can serve. Made by \`npm run outages\`:
the queue and its policies run in virtual time against simulated targets, so every figure is computed, and the same on
every machine. The edge serves 1 to 8 rows in 20 to 55 ms, the function \`small\` in 40 to 75 ms after a cold start of
800 ms (two instances are warm), \`large\` in half of that. Each request has one row, and requests come at a steady
rate. The outage lasts for the middle half of each run. Figures are of the requests from its beginning to the end of the run:
the share that was answered within the SLO, their median latency in milliseconds, and the cost of 1000 requests
in millionths of a US dollar. **Bold** are the requests that were lost although a target could have served them.

## With an edge and a function

${outageTable(facts.names, facts.edge)}
## With functions alone

${outageTable(facts.alone, facts.functions)}
## Overload

For a minute, so many times the edge's best rate; before and after it half that rate; an SLO of ${facts.overloadSloMs} ms. The
goodput is the share of the requests that could be answered in time by the edge at its best rate, or with functions of
all. The recovery is the time from the end of the overload to the arrival of the last request that was lost.

${overloadTable(facts.overload)}
In ${cases} small overloads of ${requests} requests each, for which every schedule can be tried, \`spillway\` answers
${percent(own / best)} of the requests that the best schedule answers, which knows all arrivals beforehand.
`;
}

function outageTable(names: readonly string[], rows: readonly OutageRow[]): string {
  const head = ["outage", "requests a second", "SLO ms", ...names];
  const lines = rows.map(({ outage, perS, sloMs, cells }) => {
    const own = cells.map(({ requests, inTime, medianMs, costPer1000, lostForNothing }) => {
      const lost = lostForNothing === 0 ? "" : ` **${lostForNothing}**`;
      return `${percent(inTime / requests)} / ${figure(medianMs ?? null)} / ${figure(1e6 * costPer1000)}${lost}`;
    });
    return tableLine([outage, figure(perS), figure(sloMs), ...own]);
  });
  return [tableLine(head), tableLine(head.map(() => "---")), ...lines].join("");
}

function overloadTable(rows: readonly OverloadRow[]): string {
  const head = ["times the edge's rate", "edge-only", "fixed", "spillway", "spillway with functions"];
  const lines = rows.map(({ factor, cells }) => {
    const own = cells.map(({ inTime, limit, medianMs, costPer1000, recoveredAfterMs }) => {
      const goodput = `${percent(inTime / limit)} / ${figure(medianMs ?? null)} / ${figure(1e6 * costPer1000)}`;
      return `${goodput}; recovers in ${figure(recoveredAfterMs)} ms`;
    });
    return tableLine([figure(factor), ...own]);
  });
  return [tableLine(head), tableLine(head.map(() => "---")), ...lines].join("");
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}
