/** What was measured of a model, as a table with a chart of the throughput and a line on the best batch. */
import { profileMs, profileMeanTable, sortProfile } from "../../algorithms/latency/profile.ts";
import { batchGain } from "./throughput.ts";
import type { ModelTimes, ProfiledTarget } from "../../client/policies/profile.ts";
import { percentOf } from "../load/validity.ts";

export interface BatchFigures {
  readonly rows: number;
  readonly samples: number;
  readonly p50Ms: number;
  /** At the quantile that was asked for. */
  readonly quantileMs: number;
  /** Rows a second of mean service time. */
  readonly rowsPerS: number;
}

export interface ProfileFigures {
  readonly quantile: number;
  readonly batches: readonly BatchFigures[];
  /** The smallest batch whose throughput is within 1 % of the best. */
  readonly bestRows: number;
  readonly bestRowsPerS: number;
  /** Measured sizes with less throughput than some smaller one. */
  readonly worseThanSmaller: readonly number[];
  readonly link: ProfiledTarget["link"];
}

const barLength = 30;

export function profileFigures(
  { maxBatch, serviceMs }: ModelTimes,
  link: ProfiledTarget["link"],
  quantile: number,
): ProfileFigures {
  const sorted = sortProfile(serviceMs);
  // A time that was too short to be told is not 0.
  const meanMs = profileMeanTable(sorted, maxBatch).map((ms) => Math.max(ms, 1e-6));
  const { bestRows, rowsPerMs, worseThanSmaller } = batchGain(meanMs);
  return {
    quantile,
    batches: sorted.sizes.map((rows, index) => ({
      rows,
      samples: sorted.samples[index]?.length as number,
      p50Ms: profileMs(sorted, rows, 0.5),
      quantileMs: profileMs(sorted, rows, quantile),
      rowsPerS: (rows / (meanMs[rows] as number)) * 1_000,
    })),
    bestRows,
    bestRowsPerS: rowsPerMs * 1_000,
    worseThanSmaller: worseThanSmaller.filter((rows) => sorted.sizes.includes(rows)),
    link,
  };
}

export function formatProfile(figures: ProfileFigures): string {
  const { quantile, batches, bestRows, bestRowsPerS, worseThanSmaller, link } = figures;
  const most = Math.max(...batches.map(({ rowsPerS }) => rowsPerS));
  const lines = batches.map(({ rows, samples, p50Ms, quantileMs, rowsPerS }) => {
    const cells = [String(rows), String(samples), shown(p50Ms), shown(quantileMs), shown(rowsPerS)];
    const bar = "█".repeat(Math.max(1, Math.round((rowsPerS / most) * barLength)));
    return `${line(cells)}  ${bar}\n`;
  });
  const head = line(["rows", "samples", "p50 ms", `p${percentOf(quantile)} ms`, "rows/s"]);
  const worse =
    worseThanSmaller.length === 0
      ? ""
      : `; less than a smaller batch gives: ${worseThanSmaller.join(", ")} rows`;
  return (
    `${head}\n${lines.join("")}` +
    `best throughput: batches of ${bestRows}, ${shown(bestRowsPerS)} rows a second${worse}\n` +
    `link: round trip ${shown(link.rttMs)} ms, ${shown(link.uplinkMbps)} Mbit/s\n`
  );
}

function line(cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(9)).join(" ");
}

function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}
