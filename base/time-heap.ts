/** A binary heap of items with a time: the earliest comes out first, and of equal times the one that went in first. */

interface Entry<T> {
  readonly at: number;
  readonly sequence: number;
  readonly item: T;
}

export class TimeHeap<T> {
  #sequence = 0;
  readonly #entries: Entry<T>[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** Time of the first item; Infinity when there is none. */
  get firstAt(): number {
    return this.#entries[0]?.at ?? Infinity;
  }

  push(at: number, item: T): void {
    const entry: Entry<T> = { at, sequence: this.#sequence++, item };
    const entries = this.#entries;
    let slot = entries.length;
    for (; slot > 0;) {
      const parent = (slot - 1) >>> 1;
      if (!isBefore(entry, entries[parent] as Entry<T>)) break;
      entries[slot] = entries[parent] as Entry<T>;
      slot = parent;
    }
    entries[slot] = entry;
  }

  /** Take the first item out; undefined when there is none. */
  pop(): T | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop() as Entry<T>;
    if (entries.length === 0) return first?.item;
    let slot = 0;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= entries.length) break;
      if (
        child + 1 < entries.length &&
        isBefore(entries[child + 1] as Entry<T>, entries[child] as Entry<T>)
      ) {
        child++;
      }
      if (!isBefore(entries[child] as Entry<T>, last)) break;
      entries[slot] = entries[child] as Entry<T>;
      slot = child;
    }
    entries[slot] = last;
    return first?.item;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}
