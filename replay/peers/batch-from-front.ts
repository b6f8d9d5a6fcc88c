/** How many requests from the front of a line one batch takes. */
import type { LineView } from "../../client/policies/policy.ts";

/** As many requests from the front as are in time together, and at least one. */
export function batchFromFront(
  line: LineView,
  maxRows: number,
  isInTime: (rows: number) => boolean,
): { readonly count: number; readonly rows: number } {
  let { rows } = line.at(0);
  let count = 1;
  for (; count < line.length; count++) {
    const more = rows + line.at(count).rows;
    if (more > maxRows || !isInTime(more)) break;
    rows = more;
  }
  return { count, rows };
}
