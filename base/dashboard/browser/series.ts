/**
 * Values over time in a page: a fixed number of bins that move on as new ones come, in arrays that are made once.
 *
 * @example Ten minutes by second:
 * const series = new SeriesBuffer(600);
 * series.reset(message.fine);
 * series.append(next.fine);
 * series.column("arrivals", ""); // 600 values, null where there is none
 */

/** As the server sends it. */
export interface SentSeries {
  readonly stepMs: number;
  readonly fromUnixMs: number;
  readonly columns: readonly { readonly of: string; readonly name: string }[];
  readonly rows: readonly (readonly (number | null)[])[];
}

type Values = (number | null)[];

export class SeriesBuffer {
  readonly #length: number;
  readonly #columns = new Map<
    string,
    { readonly of: string; readonly name: string; readonly values: Values }
  >();
  readonly #empty: Values;
  /** Beginnings of the bins in seconds since 1970, for the horizontal axis. */
  readonly xs: number[];
  #lastUnixMs = 0;
  #stepMs = 1_000;

  constructor(length: number) {
    this.#length = length;
    this.xs = Array.from({ length }, () => 0);
    this.#empty = Array.from({ length }, () => null);
  }

  get stepMs(): number {
    return this.#stepMs;
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets all, and begins with this. */
  reset(sent: SentSeries): void {
    this.#columns.clear();
    this.#stepMs = sent.stepMs;
    this.#lastUnixMs = sent.fromUnixMs + (sent.rows.length - 1) * sent.stepMs;
    this.#place();
    this.append(sent);
  }

  /** Bins that are there already are replaced; those that were left out between stay empty. */
  append(sent: SentSeries): void {
    for (const [index, row] of sent.rows.entries()) {
      const steps = Math.round((sent.fromUnixMs + index * sent.stepMs - this.#lastUnixMs) / this.#stepMs);
      if (steps > 0) this.#move(steps);
      const at = this.#length - 1 + Math.min(0, steps);
      if (at < 0) continue;
      for (const [column, { of, name }] of sent.columns.entries())
        this.#values(of, name)[at] = row[column] ?? null;
    }
    if (this.#columns.size > 2 * sent.columns.length + 16) this.#forget(sent);
  }

  /** An array that changes as values come; all null where there is no such column. */
  column(of: string, name: string): readonly (number | null)[] {
    return this.#columns.get(`${of} ${name}`)?.values ?? this.#empty;
  }

  names(of: string): string[] {
    return [...this.#columns.values()].filter((each) => each.of === of).map(({ name }) => name);
  }

  #values(of: string, name: string): Values {
    const key = `${of} ${name}`;
    let column = this.#columns.get(key);
    if (column === undefined)
      this.#columns.set(
        key,
        (column = { of, name, values: Array.from({ length: this.#length }, () => null) }),
      );
    return column.values;
  }

  #move(steps: number): void {
    const by = Math.min(steps, this.#length);
    for (const { values } of this.#columns.values()) {
      values.copyWithin(0, by);
      values.fill(null, this.#length - by);
    }
    this.#lastUnixMs += steps * this.#stepMs;
    this.#place();
  }

  #place(): void {
    for (let at = 0; at < this.#length; at++)
      this.xs[at] = (this.#lastUnixMs - (this.#length - 1 - at) * this.#stepMs) / 1_000;
  }

  /** Drops columns that the server does not have any more. */
  #forget({ columns }: SentSeries): void {
    const kept = new Set(columns.map(({ of, name }) => `${of} ${name}`));
    for (const key of this.#columns.keys()) if (!kept.has(key)) this.#columns.delete(key);
  }
}

/** The mean of the last `bins` values at each place, as a rate by `factor`; null where there is none of them. */
export function trailingMean(
  values: readonly (number | null)[],
  bins: number,
  factor: number,
  into: (number | null)[],
): void {
  let [sum, count] = [0, 0];
  for (let at = 0; at < values.length; at++) {
    const [value, gone] = [values[at] ?? null, at >= bins ? (values[at - bins] ?? null) : null];
    if (value !== null) {
      sum += value;
      count++;
    }
    if (gone !== null) {
      sum -= gone;
      count--;
    }
    // What is left of a sum of fractions may be a little below 0.
    into[at] = count === 0 ? null : (Math.max(0, sum) / count) * factor;
  }
}
