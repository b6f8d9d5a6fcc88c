/**
 * A Map for what comes and goes all the time under numbers or names, in a program that runs long; for objects there is
 * `OpenMap`, which says why it is not a Map.
 *
 *     const open = new TurnoverMap<number, Request>();
 *     open.set(1, request);
 *     open.delete(1);
 */
export class TurnoverMap<K extends number | string, V> {
  /** A table of V8 that was replaced keeps the boxes that were in it, and so they are emptied. */
  #boxes = new Map<K, { value: V | undefined }>();
  #deleted = 0;

  get size(): number {
    return this.#boxes.size;
  }

  has(key: K): boolean {
    return this.#boxes.has(key);
  }

  get(key: K): V | undefined {
    return this.#boxes.get(key)?.value;
  }

  set(key: K, value: V): this {
    const box = this.#boxes.get(key);
    if (box === undefined) this.#boxes.set(key, { value });
    else box.value = value;
    return this;
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    const box = this.#boxes.get(key);
    if (box === undefined) return false;
    this.#boxes.delete(key);
    box.value = undefined;
    // A new Map, so that its tables do not hang on those before. Copying is paid for by as many deletions.
    if (++this.#deleted >= fewestDeletions && this.#deleted >= this.#boxes.size) {
      this.#boxes = new Map(this.#boxes);
      this.#deleted = 0;
    }
    return true;
  }

  clear(): void {
    this.#boxes = new Map();
    this.#deleted = 0;
  }

  /** In the order in which they came. What is deleted meanwhile may still come. */
  keys(): IterableIterator<K> {
    return this.#boxes.keys();
  }

  *values(): Generator<V, undefined> {
    for (const { value } of this.#boxes.values()) if (value !== undefined) yield value;
  }

  *[Symbol.iterator](): Generator<[K, V], undefined> {
    for (const [key, { value }] of this.#boxes) if (value !== undefined) yield [key, value];
  }
}

/** Most maps hold fewer: copying such a map more often than this costs more than it saves. */
const fewestDeletions = 32;
