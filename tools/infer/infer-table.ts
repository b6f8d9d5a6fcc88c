/** What a run of `infer` came to, as figures and as a table for people. */
import type { RowTally, TallyRow } from "./row-tally.ts";

export interface InferFigures {
  readonly out: string;
  /** Items of the input, and those with a line of results. */
  readonly count: number;
  readonly done: number;
  /** Those that had one when this run began. */
  readonly doneBefore: number;
  /** Those whose line is an error, of earlier runs as well. */
  readonly failedInAll: number;
  /** Rows of this run. */
  readonly answered: number;
  readonly failed: number;
  readonly seconds: number;
  readonly rowsPerS: number;
  readonly msPerRow: number;
  readonly who: readonly TallyRow[];
  /** Why it ended early. */
  readonly why?: string;
}

interface InferRun {
  readonly tally: RowTally;
  readonly why: string | undefined;
  readonly seconds: number;
  readonly before: number;
  readonly done: number;
  readonly failedInAll: number;
  readonly count: number;
  readonly out: string;
}

export function inferFigures({ tally, why, seconds, before, ...totals }: InferRun): InferFigures {
  const rows = tally.answered + tally.failed;
  return {
    ...totals,
    doneBefore: before,
    answered: tally.answered,
    failed: tally.failed,
    seconds,
    rowsPerS: rows / seconds,
    msPerRow: rows === 0 ? 0 : (1_000 * seconds) / rows,
    who: tally.rows(),
    ...(why !== undefined && { why }),
  };
}

export function formatInfer(figures: InferFigures): string {
  const { out, count, done, doneBefore, failedInAll, answered, failed, who, why } = figures;
  const { seconds, rowsPerS, msPerRow } = figures;
  const rows = answered + failed;
  const lines: string[] = [];
  if (rows === 0 && done === count) lines.push(`nothing to do: ${out} has all ${count} results already`);
  else
    lines.push(
      `${rows} rows in ${seconds.toFixed(1)} s (${rowsPerS.toFixed(1)}/s, ${msPerRow.toFixed(2)} ms a row): ` +
        `${answered} answered, ${failed} failed`,
    );
  if (doneBefore > 0 && rows > 0) lines.push(`${doneBefore} were done before`);
  if (who.length > 0) lines.push("", ...tableOf(who), "");
  if (failedInAll > 0)
    lines.push(`${failedInAll} lines of ${out} have an "error", which says why rows failed`);
  if (why !== undefined)
    lines.push(`${why}: ${out} has ${done} of ${count}; the same command goes on from there`);
  else if (rows > 0) lines.push(`${out} has all ${count} results, in order`);
  return `${lines.join("\n")}\n`;
}

function tableOf(who: readonly TallyRow[]): string[] {
  const cells = who.map((each) => [
    each.who,
    String(each.rows),
    each.serviceS.toFixed(2),
    each.msPerRow.toFixed(2),
  ]);
  const all = [["who", "rows", "model s", "ms a row"], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
}
