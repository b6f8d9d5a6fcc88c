/**
 * A Map for what comes and goes all the time, such as requests under way, in a program that runs long.
 *
 * V8 gives a Map a new table every few dozen deletions, and the old table points to the new one. Once a table has become
 * old, so do all tables after it, with all that was in them when they were replaced: it is garbage that only a full
 * collection frees. Memory then grows by what passes, and pauses of the collector from tenths of a millisecond to many.
 * Here the Map itself is replaced before that: no table points to the next.
 *
 *     const open = new TurnoverMap<number, Request>();
 *     open.set(1, request);
 *     open.delete(1);
 *
 * An iterator goes on over the entries of when it began.
 */
export class TurnoverMap<K, V> {
  #entries = new Map<K, V>();
  #deleted = 0;

  get size(): number {
    return this.#entries.size;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): this {
    this.#entries.set(key, value);
    return this;
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    if (!this.#entries.delete(key)) return false;
    // Copying is paid for by as many deletions.
    if (++this.#deleted >= fewestDeletions && this.#deleted >= this.#entries.size) {
      this.#entries = new Map(this.#entries);
      this.#deleted = 0;
    }
    return true;
  }

  clear(): void {
    this.#entries = new Map();
    this.#deleted = 0;
  }

  /** In the order in which they came. */
  keys(): IterableIterator<K> {
    return this.#entries.keys();
  }

  values(): IterableIterator<V> {
    return this.#entries.values();
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#entries[Symbol.iterator]();
  }
}

/** A table of V8 has room for a few dozen of them at least. */
const fewestDeletions = 32;

/** A Set for what comes and goes all the time. */
export class TurnoverSet<T> {
  readonly #items = new TurnoverMap<T, true>();

  get size(): number {
    return this.#items.size;
  }

  has(item: T): boolean {
    return this.#items.has(item);
  }

  add(item: T): this {
    this.#items.set(item, true);
    return this;
  }

  /** Whether it was there. */
  delete(item: T): boolean {
    return this.#items.delete(item);
  }

  clear(): void {
    this.#items.clear();
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.keys();
  }
}
