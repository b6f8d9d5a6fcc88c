/**
 * How long batches of a model take by their rows: ms = first + perRow * rows, learned from recent batches and forgotten with
 * age. Deadlines are judged by it, so nothing in it may keep requests from running for good. Given the time; pure.
 */
import { fitAffine } from "../../algorithms/latency/service-fits.ts";
import { Lru } from "../../base/memory/lru.ts";
import { medianOf, quantileOfSorted } from "../../base/quantile.ts";

/** Recent batches that count for each power of two of rows: a median of so few follows a change within three batches. */
const perSize = 5;
/** Recent batches that say how much times spread. */
const mostFactors = 32;
/** The part of recent batches that end within `safeMs`. */
const safeQuantile = 0.9;
/** `safeMs` is at most this many times `expectedMs`. */
const mostSpread = 3;
/** Sizes that were not seen for this long count no more, so that an outlier among few batches is forgotten. */
const forgottenAfterMs = 30_000;
/** What did not run for this long is tried again, although its deadline seems out of reach. */
const triedAgainAfterMs = 2_000;
/** Most kinds of requests that are remembered. */
const mostKinds = 256;

interface SizeTimes {
  readonly rows: number[];
  readonly ms: number[];
  observedAtMs: number;
}

/** Times of batches by the kind of their requests, such as the shape of their rows. */
export class ServiceTimes {
  readonly #kinds = new Lru<string, KindTimes>(mostKinds);

  /** Learn from a batch that has run. `ms`: from when a replica was asked until its answer was there. */
  observe(kind: string, rows: number, ms: number, nowMs: number): void {
    let times = this.#kinds.get(kind);
    if (times === undefined) this.#kinds.set(kind, (times = new KindTimes()));
    times.observe(rows, ms, nowMs);
  }

  /** Undefined while no batch of that kind has run. */
  of(kind: string): KindTimes | undefined {
    return this.#kinds.get(kind);
  }
}

/** Times of one kind; it exists only once a batch was seen. */
export class KindTimes {
  /** By the power of two of the rows. */
  readonly #sizes = new Map<number, SizeTimes>();
  readonly #factors: number[] = [];
  readonly #triedAtMs = new Map<number, number>();
  #firstMs = 0;
  #perRowMs = 0;
  #spread = 1;
  #largestRows = 0;

  observe(rows: number, ms: number, nowMs: number): void {
    const expectedMs = this.expectedMs(rows);
    if (this.#isKnownSize(rows) && expectedMs > 0) push(this.#factors, ms / expectedMs, mostFactors);
    let size = this.#sizes.get(sizeOf(rows));
    if (size === undefined) this.#sizes.set(sizeOf(rows), (size = { rows: [], ms: [], observedAtMs: nowMs }));
    push(size.rows, rows, perSize);
    push(size.ms, ms, perSize);
    size.observedAtMs = nowMs;
    for (const [key, { observedAtMs }] of this.#sizes)
      if (nowMs - observedAtMs > forgottenAfterMs) this.#sizes.delete(key);
    this.#fit();
  }

  /**
   * How long that many rows usually keep a replica busy. A row beyond the largest batch that was seen counts half: while
   * batches are small, nothing says yet that larger ones gain, and those would never be tried.
   */
  expectedMs(rows: number): number {
    const beyond = Math.max(0, rows - this.#largestRows);
    return this.#firstMs + (rows - beyond / 2) * this.#perRowMs;
  }

  /** The time within which most batches of that many rows end. */
  safeMs(rows: number): number {
    return this.#spread * this.expectedMs(rows);
  }

  /** The most rows of which something is known: twice what has run, since a line is not to be trusted further. */
  get knownRows(): number {
    return 2 * this.#largestRows;
  }

  /**
   * Whether requests of that many rows should be tried although they seem to miss their deadline: what is known of them is
   * old, or nothing. True once in two seconds at most, because it then counts as tried.
   */
  shouldTry(rows: number, nowMs: number): boolean {
    if (rows > this.knownRows) return true;
    const size = sizeOf(rows);
    const seenAtMs = this.#sizes.get(size)?.observedAtMs ?? -Infinity;
    const lastAtMs = Math.max(seenAtMs, this.#triedAtMs.get(size) ?? -Infinity);
    if (nowMs - lastAtMs < triedAgainAfterMs) return false;
    this.#triedAtMs.set(size, nowMs);
    return true;
  }

  #isKnownSize(rows: number): boolean {
    return this.#sizes.has(sizeOf(rows));
  }

  #fit(): void {
    const points = [...this.#sizes.values()].map(({ rows, ms }) => {
      return { rows: medianOf(rows), sorted: [lowerMedian(ms)] };
    });
    points.sort((a, b) => a.rows - b.rows);
    const { firstMs, perRowMs } = fitAffine(points);
    this.#firstMs = firstMs;
    this.#perRowMs = perRowMs;
    this.#largestRows = Math.max(...[...this.#sizes.values()].flatMap(({ rows }) => rows));
    const factors = Float64Array.from(this.#factors).sort();
    const spread = factors.length === 0 ? 1 : quantileOfSorted(factors, safeQuantile);
    this.#spread = Math.min(mostSpread, Math.max(1, spread));
  }
}

/** Of an even number the lower of the two in the middle, so that one slow batch beside one other says nothing. */
function lowerMedian(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] as number;
}

function push(list: number[], value: number, most: number): void {
  list.push(value);
  if (list.length > most) list.shift();
}

function sizeOf(rows: number): number {
  return Math.floor(Math.log2(Math.max(1, rows)));
}
