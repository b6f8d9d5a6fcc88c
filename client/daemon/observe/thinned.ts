/** Lets one message of a kind through in a while, and counts those it leaves out. */

/** Kinds that are remembered at once; beyond it all are forgotten, which lets some messages through too early. */
const maxKinds = 1_000;

export class Thinned {
  readonly #everyMs: number;
  readonly #byKind = new Map<string, { shownAtMs: number; leftOut: number }>();

  /** @param everyMs least time between two messages of a kind */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** How many of the kind were left out since the last one; undefined when this one is to be left out too. */
  pass(kind: string, nowMs: number): number | undefined {
    const last = this.#byKind.get(kind);
    if (last !== undefined && nowMs - last.shownAtMs < this.#everyMs) {
      last.leftOut++;
      return undefined;
    }
    if (this.#byKind.size >= maxKinds) this.#byKind.clear();
    this.#byKind.set(kind, { shownAtMs: nowMs, leftOut: 0 });
    return last?.leftOut ?? 0;
  }
}
