/**
 * Counts of the last minutes in bounded memory, in slots that are forgotten one by one. Pure: its owner says what time it is.
 *
 * @example Two kinds of things over five minutes:
 * const counts = new RecentCounts(2);
 * counts.add(1, 3, 1_000);
 * counts.sum(1, 2_000, 300_000); // 3
 */

/** Length of a slot, and how many are kept: ten minutes. */
const slotMs = 30_000;
const slots = 20;

export class RecentCounts {
  readonly #kinds: number;
  readonly #counts: Float64Array;
  /** By place, the number of the slot that is there. */
  readonly #numbers = new Float64Array(slots).fill(-1);
  #usedAtMs = -Infinity;
  /** Whether it was dropped, so that nobody would see what is counted here. */
  isGone = false;

  /** @param kinds how many things are counted */
  constructor(kinds: number) {
    this.#kinds = kinds;
    this.#counts = new Float64Array(kinds * slots);
  }

  /** When something was counted last. */
  get usedAtMs(): number {
    return this.#usedAtMs;
  }

  add(kind: number, count: number, atMs: number): void {
    const number = Math.floor(atMs / slotMs);
    const place = number % slots;
    if (this.#numbers[place] !== number) {
      this.#numbers[place] = number;
      this.#counts.fill(0, place * this.#kinds, (place + 1) * this.#kinds);
    }
    this.#usedAtMs = atMs;
    const at = place * this.#kinds + kind;
    this.#counts[at] = (this.#counts[at] as number) + count;
  }

  /** What was counted within the last `withinMs`, up to a slot more; at most 10 minutes. */
  sum(kind: number, nowMs: number, withinMs: number): number {
    const oldest = Math.floor((nowMs - withinMs) / slotMs);
    let sum = 0;
    for (let place = 0; place < slots; place++) {
      const number = this.#numbers[place] as number;
      if (number >= oldest && number >= 0) sum += this.#counts[place * this.#kinds + kind] as number;
    }
    return sum;
  }
}

/** Things of one sort by name, a bounded number; those beyond it are counted together. */
export class NamedCounts {
  readonly #kinds: number;
  readonly #mostNames: number;
  readonly #other: string;
  readonly #counts = new Map<string, RecentCounts>();

  /** @param other the name under which those beyond `mostNames` are counted */
  constructor(kinds: number, mostNames: number, other: string) {
    this.#kinds = kinds;
    this.#mostNames = mostNames;
    this.#other = other;
  }

  of(name: string, nowMs: number): RecentCounts {
    let counts = this.#counts.get(name);
    if (counts !== undefined) return counts;
    while (this.#counts.size >= this.#mostNames && this.#dropUnused(nowMs));
    if (this.#counts.size >= this.#mostNames && name !== this.#other) return this.of(this.#other, nowMs);
    this.#counts.set(name, (counts = new RecentCounts(this.#kinds)));
    return counts;
  }

  entries(): IterableIterator<[string, RecentCounts]> {
    return this.#counts.entries();
  }

  get(name: string): RecentCounts | undefined {
    return this.#counts.get(name);
  }

  #dropUnused(nowMs: number): boolean {
    for (const [name, counts] of this.#counts) {
      if (nowMs - counts.usedAtMs < slotMs * slots) continue;
      counts.isGone = true;
      this.#counts.delete(name);
      return true;
    }
    return false;
  }
}
