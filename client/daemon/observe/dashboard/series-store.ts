/**
 * Values over time in bounded memory: a ring of bins with a column for each thing that is counted. Pure: its owner says which
 * bin it is.
 *
 * @example Ten minutes by second, two requests in the second 7:
 * const store = new SeriesStore(600, 64);
 * store.column("arrivals", "")[store.slotOf(7)] = 2;
 */
import type { SeriesKind, WireColumn } from "./wire.ts";

interface Column extends WireColumn {
  readonly values: Float32Array;
  /** The last bin in which it had a value other than 0. */
  usedAt: number;
}

export class SeriesStore {
  readonly #bins: number;
  readonly #mostColumns: number;
  readonly #columns = new Map<string, Column>();
  /** The newest bin that is complete; -1: none. */
  #last = -1;
  /** The first bin that there ever was. */
  #first = 0;

  /**
   * @param bins how many are kept, an integer from 1
   * @param mostColumns of which none is made beyond that; an integer from 1
   */
  constructor(bins: number, mostColumns: number) {
    this.#bins = bins;
    this.#mostColumns = mostColumns;
  }

  /** The number of the newest bin. */
  get last(): number {
    return this.#last;
  }

  /** The number of the oldest bin that is kept. */
  get first(): number {
    return Math.max(this.#first, this.#last - this.#bins + 1);
  }

  /** Bytes of all values. */
  get bytes(): number {
    return this.#columns.size * this.#bins * Float32Array.BYTES_PER_ELEMENT;
  }

  /** Bins follow each other; those that are left out between two are 0. */
  begin(bin: number): void {
    if (this.#last === -1) this.#first = bin;
    const from = this.#last === -1 ? bin : Math.max(this.#last + 1, bin - this.#bins + 1);
    for (let each = from; each <= bin; each++) {
      for (const { values } of this.#columns.values()) values[each % this.#bins] = 0;
    }
    this.#last = bin;
  }

  /** Sets a value of the newest bin. NaN stands for none. */
  set(of: SeriesKind, name: string, value: number): void {
    const column = this.#column(of, name);
    if (column === undefined) return;
    column.values[this.#last % this.#bins] = value;
    if (value !== 0 && !Number.isNaN(value)) column.usedAt = this.#last;
  }

  /** The sum over the newest `bins` bins; those without a value count as 0. */
  sum(of: SeriesKind, name: string, bins: number): number {
    const column = this.#columns.get(keyOf(of, name));
    if (column === undefined) return 0;
    let sum = 0;
    for (let bin = Math.max(this.first, this.#last - bins + 1); bin <= this.#last; bin++) {
      const value = column.values[bin % this.#bins] as number;
      if (!Number.isNaN(value)) sum += value;
    }
    return sum;
  }

  columns(): WireColumn[] {
    return Array.from(this.#columns.values(), ({ of, name }) => ({ of, name }));
  }

  /** The values of the bins from that one on, a row for each, in the order of `columns`. */
  rows(from: number): (number | null)[][] {
    const rows: (number | null)[][] = [];
    for (let bin = Math.max(from, this.first); bin <= this.#last; bin++) {
      const row: (number | null)[] = [];
      for (const { values } of this.#columns.values())
        row.push(shortFigure(values[bin % this.#bins] as number));
      rows.push(row);
    }
    return rows;
  }

  /** Undefined when there is no room for one more. */
  #column(of: SeriesKind, name: string): Column | undefined {
    const key = keyOf(of, name);
    const known = this.#columns.get(key);
    if (known !== undefined) return known;
    if (this.#columns.size >= this.#mostColumns && !this.#dropUnused()) return undefined;
    const values = new Float32Array(this.#bins);
    const made = { of, name, values, usedAt: this.#last };
    this.#columns.set(key, made);
    return made;
  }

  /** Drops a column whose values are all 0 by now. */
  #dropUnused(): boolean {
    for (const [key, { usedAt, name }] of this.#columns) {
      if (name === "" || name === "*" || usedAt > this.#last - this.#bins) continue;
      this.#columns.delete(key);
      return true;
    }
    return false;
  }
}

function keyOf(of: SeriesKind, name: string): string {
  return `${of} ${name}`;
}

/** Four digits are more than a picture shows. */
function shortFigure(value: number): number | null {
  if (Number.isNaN(value)) return null;
  return Number.isInteger(value) ? value : Number(value.toPrecision(4));
}
