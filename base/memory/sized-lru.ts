/** A map of bounded size in entries and in bytes: what was used least recently is dropped. */
import { TurnoverMap } from "./turnover-map.ts";

export class SizedLru<K extends number | string, V> {
  readonly #entries = new TurnoverMap<K, { readonly value: V; readonly bytes: number }>();
  readonly #bounds: SizedLruBounds<K, V>;
  #bytes = 0;

  constructor(bounds: SizedLruBounds<K, V>) {
    this.#bounds = bounds;
  }

  /** Of all entries. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The value of a key, which counts as used now; undefined when it is not there. */
  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Adds or replaces an entry, which counts as used now. One that is larger than all may be is left out. */
  set(key: K, value: V): void {
    this.delete(key);
    const bytes = this.#bounds.bytesOf(value, key);
    if (bytes > this.#bounds.mostBytes) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= this.#bounds.mostEntries && this.#bytes <= this.#bounds.mostBytes) return;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}

export interface SizedLruBounds<K, V> {
  /** An integer from 1. */
  readonly mostEntries: number;
  readonly mostBytes: number;
  /** Of an entry, as it is added. */
  readonly bytesOf: (value: V, key: K) => number;
}
