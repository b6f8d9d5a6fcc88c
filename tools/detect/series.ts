/** Reads a recorded series: CSV with a header, one line a step, of which one column counts. */

/**
 * The numbers of the column `value`. Lines are taken one at a time, so that a long series costs little more
 * than its numbers.
 *
 * @param file name of the series, for messages
 * @param least no value may be below this
 * @throws Error that names file, line and column of the first malformed line
 */
export function parseSeries(text: string, file: string, least = -Infinity): number[] {
  const values: number[] = [];
  let field = -1;
  for (let from = 0, line = 1; from < text.length; line++) {
    const end = text.indexOf("\n", from);
    const cells = text.slice(from, end === -1 ? text.length : end).split(",");
    from = end === -1 ? text.length : end + 1;
    if (line === 1) {
      field = cells.findIndex((name) => name.trim() === "value");
      if (field === -1)
        throw new Error(`${file}:1:1: the header is "${cells.join(",").trim()}"; one column must be "value"`);
      continue;
    }
    const cell = cells[field]?.trim() ?? "";
    const value = cell === "" ? Number.NaN : Number(cell);
    if (!Number.isFinite(value) || value < least) {
      const column = cells.slice(0, field).join(",").length + (field === 0 ? 1 : 2);
      const allowed = least === -Infinity ? "a number" : `a number of at least ${least}`;
      throw new Error(`${file}:${line}:${column}: value is "${cell}"; allowed: ${allowed}`);
    }
    values.push(value);
  }
  if (values.length === 0) throw new Error(`${file}:1:1: there are no values; one column must be "value"`);
  return values;
}
