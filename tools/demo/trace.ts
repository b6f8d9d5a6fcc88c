/**
 * Arrival traces: when requests came, as recorded or made. Reading, stretching and thickening one is
 * arithmetic on a list of moments.
 */
import type { Random } from "../../base/random.ts";

/**
 * The moments of a trace that has one line a request: CSV with a header whose first column is `t`, the
 * seconds from the start, non-decreasing. Other columns are ignored.
 *
 * @param file name of the trace, for messages
 * @throws Error that names file, line and column of the first malformed line
 */
export function parseTrace(text: string, file: string): number[] {
  const [header = "", ...lines] = text.split(/\r?\n/);
  if (header.split(",")[0]?.trim() !== "t") {
    throw new Error(`${file}:1:1: the header is "${header}"; its first column must be "t"`);
  }
  if (lines.at(-1) === "") lines.pop();
  let previousS = 0;
  return lines.map((line, index) => {
    const cell = line.split(",")[0] ?? "";
    const atS = cell.trim() === "" ? Number.NaN : Number(cell);
    if (!(atS >= previousS && atS < Infinity)) {
      throw new Error(
        `${file}:${index + 2}:1: t is "${cell}"; allowed: a number of seconds, at least ${previousS}`,
      );
    }
    previousS = atS;
    return atS;
  });
}

/**
 * The same course in another time: moments times `stretch`, while the rates stay as they were: where time is
 * shorter some arrivals are left out, where it is longer some come again, each moved within the mean gap.
 *
 * @param arrivals moments, non-decreasing
 * @param stretch above 0; 0.5 makes a minute half a minute
 * @param rateFactor above 0; 2 doubles every rate
 * @throws RangeError when a factor is not above 0
 */
export function fitTrace(
  arrivals: readonly number[],
  { stretch, rateFactor }: { readonly stretch: number; readonly rateFactor: number },
  random: Random,
): number[] {
  for (const [name, value] of Object.entries({ stretch, rateFactor })) {
    if (!(value > 0 && value < Infinity)) throw new RangeError(`${name} is ${value}; allowed: above 0`);
  }
  const copies = stretch * rateFactor;
  const meanGap =
    (stretch * ((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0))) / Math.max(1, arrivals.length - 1);
  const fitted: number[] = [];
  for (const moment of arrivals) {
    const count = Math.floor(copies) + (random() < copies - Math.floor(copies) ? 1 : 0);
    for (let copy = 0; copy < count; copy++)
      fitted.push(moment * stretch + (copy === 0 ? 0 : random() * meanGap));
  }
  return fitted.sort((a, b) => a - b);
}
