/**
 * What is kept of requests that have not ended, found by their numbers. Numbers count up, so mostly the place of one is its
 * number modulo the size, and its object is used again: that costs less than a map, which this is for every request.
 */

/**
 * Requests that are found without a map; those open beside so many younger ones are in one. A power of two, and few enough
 * that the objects stay in the processor's cache.
 */
const places = 2_048;

/** Anything with a number; -1 when it is free. */
interface Numbered {
  id: number;
}

export class OpenEntries<E extends Numbered> {
  readonly #make: () => E;
  readonly #places: (E | undefined)[] = [];
  /** Those whose place a younger one has. */
  readonly #old = new Map<number, E>();
  #size = 0;

  /** @param make a free entry, with `id` -1 */
  constructor(make: () => E) {
    this.#make = make;
  }

  get size(): number {
    return this.#size;
  }

  /** An entry for a request that has just arrived; its other fields may be those of an earlier one. */
  add(id: number): E {
    const place = id & (places - 1);
    // Places are filled in order, so that the list has no holes.
    while (this.#places.length < place) this.#places.push(undefined);
    let entry = this.#places[place];
    if (entry !== undefined && entry.id !== -1) this.#old.set(entry.id, entry);
    if (entry === undefined || entry.id !== -1) this.#places[place] = entry = this.#make();
    entry.id = id;
    this.#size++;
    return entry;
  }

  of(id: number): E | undefined {
    const entry = this.#places[id & (places - 1)];
    return entry?.id === id ? entry : this.#old.get(id);
  }

  /** @param entry that was not deleted before */
  delete(entry: E): void {
    if (this.#old.size > 0) this.#old.delete(entry.id);
    this.#size--;
    entry.id = -1;
  }

  *values(): Generator<E> {
    yield* this.#old.values();
    for (const entry of this.#places) if (entry !== undefined && entry.id !== -1) yield entry;
  }
}
