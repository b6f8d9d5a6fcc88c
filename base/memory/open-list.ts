/**
 * Things that come and go all the time, such as requests under way, in the order in which they came.
 *
 * A Map or Set of such things that lives long makes them grow old: V8 gives it a new table every few deletions, and the old
 * table points to the new one. Once one table is old, so are all after it, with all that was in them: garbage that only a
 * full collection frees. Here nothing points from what has gone to what has not.
 */
import { SideField } from "./side-field.ts";

/** The place of a thing in its list. */
export interface OpenPlace<T> {
  /** Undefined once it was removed. */
  item: T | undefined;
  before: OpenPlace<T> | undefined;
  after: OpenPlace<T> | undefined;
}

/**
 * @example
 * const open = new OpenList<Request>();
 * const place = open.add(request);
 * open.remove(place);
 */
export class OpenList<T extends {}> {
  #first: OpenPlace<T> | undefined;
  #last: OpenPlace<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Behind all others. Returns what takes it out again. */
  add(item: T): OpenPlace<T> {
    const place = { item, before: this.#last, after: undefined };
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.#size++;
    return place;
  }

  /** Whether it was there. @param place of this list */
  remove(place: OpenPlace<T>): boolean {
    const { item, before, after } = place;
    if (item === undefined) return false;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    place.item = place.before = place.after = undefined;
    this.#size--;
    return true;
  }

  clear(): void {
    for (let place = this.#first; place !== undefined;) {
      const { after }: OpenPlace<T> = place;
      this.remove(place);
      place = after;
    }
  }

  /** In the order in which they came. Meanwhile none may be removed but the one that was given last. */
  *[Symbol.iterator](): Generator<T, undefined> {
    for (let place = this.#first; place !== undefined;) {
      const { item, after }: OpenPlace<T> = place;
      yield item as T;
      place = after;
    }
  }
}

/** Objects that come and go, each with a value, in the order in which they came: an `OpenList` that finds them. */
export class OpenMap<K extends object, V> {
  readonly #entries = new OpenList<[K, V]>();
  readonly #places = new SideField<K, OpenPlace<[K, V]> | undefined>();

  get size(): number {
    return this.#entries.size;
  }

  has(key: K): boolean {
    return this.#places.get(key) !== undefined;
  }

  get(key: K): V | undefined {
    return this.#places.get(key)?.item?.[1];
  }

  set(key: K, value: V): void {
    const entry = this.#places.get(key)?.item;
    if (entry === undefined) this.#places.set(key, this.#entries.add([key, value]));
    else entry[1] = value;
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    const place = this.#places.get(key);
    if (place === undefined) return false;
    this.#places.set(key, undefined);
    return this.#entries.remove(place);
  }

  /** As of an `OpenList`. */
  [Symbol.iterator](): Generator<readonly [K, V], undefined> {
    return this.#entries[Symbol.iterator]();
  }
}
