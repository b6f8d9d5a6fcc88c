/** A map of bounded size: when it is full, the entry that was used least recently is dropped. */
import { TurnoverMap } from "./turnover-map.ts";

export class Lru<K extends number | string, V> {
  readonly #entries = new TurnoverMap<K, V>();
  readonly #mostEntries: number;
  /** The key that was used last: its entry is at the end. */
  #newest: K | undefined;

  /** @param mostEntries an integer from 1 */
  constructor(mostEntries: number) {
    this.#mostEntries = mostEntries;
  }

  /** The value of a key, which counts as used now; undefined when it is not there. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined && key !== this.#newest) this.#moveToEnd(key, value);
    return value;
  }

  /** Add or replace an entry, which counts as used now. */
  set(key: K, value: V): void {
    this.#moveToEnd(key, value);
    if (this.#entries.size > this.#mostEntries) this.#entries.delete(this.#entries.keys().next().value as K);
  }

  /** The least recently used value first. */
  values(): IterableIterator<V> {
    return this.#entries.values();
  }

  #moveToEnd(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#newest = key;
  }
}
