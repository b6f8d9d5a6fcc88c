/** What was measured of a model: figures by batch size, and a table of them with bars and the best batch. */
import { MeasuredTimes } from "../../algorithms/latency/measured-times.ts";
import type { ModelTimes, ProfiledTarget } from "../../client/policies/profile.ts";
import { checkRange } from "../../base/check-range.ts";
import { figure } from "../../base/figures.ts";
import { percentOf } from "../load/load-result.ts";

export interface BatchFigures {
  readonly rows: number;
  readonly samples: number;
  readonly p50Ms: number;
  /** Service time at the requested quantile. */
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

/** Times too short to be measured are not 0. */
const leastMs = 1e-6;
const barLength = 30;

export function profileFigures(
  { maxBatch, serviceMs }: ModelTimes,
  link: ProfiledTarget["link"],
  quantile: number,
): ProfileFigures {
  const times = new MeasuredTimes(serviceMs, maxBatch);
  const meanMs = Float64Array.from({ length: maxBatch + 1 }, (_, rows) =>
    Math.max(leastMs, rows === 0 ? 0 : times.mean(rows)),
  );
  const { bestRows, rowsPerMs, worseThanSmaller } = batchGain(meanMs);
  const batches = Object.entries(serviceMs)
    .map(([rows, { length }]) => ({ rows: Number(rows), samples: length }))
    .sort((a, b) => a.rows - b.rows)
    .map(({ rows, samples }) => ({
      rows,
      samples,
      p50Ms: times.quantileMs(rows, 0.5),
      quantileMs: times.quantileMs(rows, quantile),
      rowsPerS: (rows / (meanMs[rows] as number)) * 1_000,
    }));
  return {
    quantile,
    batches,
    bestRows,
    bestRowsPerS: rowsPerMs * 1_000,
    worseThanSmaller: worseThanSmaller.filter((rows) => serviceMs[rows] !== undefined),
    link,
  };
}

export interface BatchGain {
  /** The smallest batch whose throughput is within the tolerance of the best. */
  readonly bestRows: number;
  /** Its throughput, in rows per millisecond of service time. */
  readonly rowsPerMs: number;
  /** Sizes with less throughput than some smaller size, by more than the tolerance; ascending. */
  readonly worseThanSmaller: readonly number[];
}

/**
 * What batching gains. A convolutional model on a CPU gains nothing: its best batch is one row, larger ones are worse.
 *
 * @param serviceMs mean service time by rows, index 0 unused, each above 0
 * @param tolerance differences of throughput up to this share are noise, from 0 to below 1; of two sizes that differ
 * by no more the smaller is better, because its requests wait less
 * @throws RangeError when the table has no size or the tolerance is outside its range
 */
export function batchGain(serviceMs: ArrayLike<number>, tolerance = 0.01): BatchGain {
  if (serviceMs.length < 2) throw new RangeError("the table has no batch size; at least one is needed");
  checkRange("tolerance", tolerance, tolerance >= 0 && tolerance < 1, "from 0 to below 1");
  const worseThanSmaller: number[] = [];
  let most = 0;
  for (let rows = 1; rows < serviceMs.length; rows++) {
    const rowsPerMs = rows / (serviceMs[rows] as number);
    if (rowsPerMs < most * (1 - tolerance)) worseThanSmaller.push(rows);
    most = Math.max(most, rowsPerMs);
  }
  let bestRows = 1;
  while (bestRows / (serviceMs[bestRows] as number) < most * (1 - tolerance)) bestRows++;
  return { bestRows, rowsPerMs: bestRows / (serviceMs[bestRows] as number), worseThanSmaller };
}

export function formatProfile(figures: ProfileFigures): string {
  const { quantile, batches, bestRows, bestRowsPerS, worseThanSmaller, link } = figures;
  const most = Math.max(...batches.map(({ rowsPerS }) => rowsPerS));
  const lines = batches.map(({ rows, samples, p50Ms, quantileMs, rowsPerS }) => {
    const cells = [String(rows), String(samples), figure(p50Ms), figure(quantileMs), figure(rowsPerS)];
    const bar = "█".repeat(Math.max(1, Math.round((rowsPerS / most) * barLength)));
    return `${line(cells)}  ${bar}\n`;
  });
  const head = line(["rows", "samples", "p50 ms", `p${percentOf(quantile)} ms`, "rows/s"]);
  const worse =
    worseThanSmaller.length === 0
      ? ""
      : `; slower than some smaller batch: ${worseThanSmaller.join(", ")} rows`;
  return (
    `${head}\n${lines.join("")}` +
    `best throughput: batches of ${bestRows}, ${figure(bestRowsPerS)} rows a second${worse}\n` +
    `link: round trip ${figure(link.rttMs)} ms, ${figure(link.uplinkMbps)} Mbit/s\n`
  );
}

function line(cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(9)).join(" ");
}
