/** When a target last answered requests of each key, and how long that took. */
import { Lru } from "../../base/memory/lru.ts";
import { SlidingQuantile } from "../../base/quantile.ts";

/** How many round trips the predicted latency is based on, and which quantile of them it is. */
const latencyWindow = 64;
const latencyQuantile = 0.95;
/** Keys that are remembered; the least recently used key is forgotten beyond that. */
const maxKeys = 256;

interface Answers {
  readonly key: string;
  readonly latency: SlidingQuantile;
  atMs: number;
}

export class AnswersByKey {
  readonly #modelOf: (key: string) => string;
  readonly #byKey = new Lru<string, Answers>(maxKeys);
  /** The entry that was used last, because the next batch mostly has the same key. */
  #latest: Answers | undefined;
  #latestFormedMs = -Infinity;

  /** @param modelOf the model of a key; it is asked only when something fails */
  constructor(modelOf: (key: string) => string) {
    this.#modelOf = modelOf;
  }

  /** When the latest batch was sent that has been answered. */
  get latestFormedMs(): number {
    return this.#latestFormedMs;
  }

  /**
   * @param formedAtMs when the batch was sent that was answered at `atMs`
   * @param latencyMs undefined when it is not known
   */
  add(key: string, formedAtMs: number, atMs: number, latencyMs: number | undefined): void {
    const answers = this.#answersOf(key);
    this.#latestFormedMs = Math.max(this.#latestFormedMs, formedAtMs);
    answers.atMs = atMs;
    if (latencyMs !== undefined) answers.latency.observe(latencyMs);
  }

  /** A high quantile of the times until an answer; undefined when none is known. */
  latencyMs(key: string): number | undefined {
    return this.#byKey.get(key)?.latency.value();
  }

  /** When the model was last answered; -Infinity: never, or so many keys ago that it is forgotten. */
  latestMs(model: string): number {
    return this.#latestMs((each) => each === model);
  }

  /** When any other model was last answered. */
  latestOfOthersMs(model: string): number {
    return this.#latestMs((each) => each !== model);
  }

  #latestMs(isMeant: (model: string) => boolean): number {
    let latestMs = -Infinity;
    for (const { key, atMs } of this.#byKey.values())
      if (atMs > latestMs && isMeant(this.#modelOf(key))) latestMs = atMs;
    return latestMs;
  }

  #answersOf(key: string): Answers {
    if (this.#latest?.key === key) return this.#latest;
    const answers = this.#byKey.get(key) ?? {
      key,
      latency: new SlidingQuantile(latencyWindow, latencyQuantile),
      atMs: -Infinity,
    };
    this.#latest = answers;
    this.#byKey.set(key, answers);
    return answers;
  }
}
