/**
 * From a trace's file to the arrivals of a replay, as a stream: place the arrivals of the whole file, scale their rate,
 * cut, shift. Cutting comes last, so a cut replay has the same arrivals as the whole one. Memory holds one block of
 * arrivals.
 */
import type { Random } from "../../base/random.ts";
import type { TextFile } from "../../base/text-lines.ts";
import { TimeHeap } from "../../base/time-heap.ts";
import { placeCount, placeRate } from "./place-arrivals.ts";
import { randomStream } from "./random-stream.ts";
import type { Arrival } from "./trace-lines.ts";
import { readTrace } from "./trace-reader.ts";

export interface ArrivalOptions {
  readonly seed: number;
  /** The part of the trace that is replayed, in its seconds: [fromS, toS). */
  readonly fromS: number;
  readonly toS: number;
  /** Factor on the rate, above 0. */
  readonly scale: number;
}

/**
 * The arrivals of a replay in blocks, in order, shifted so that `fromS` becomes 0. The whole file is read, so a
 * malformed line is found wherever it is. For a scale above 1 it is read twice, because copies move by a part of the
 * file's mean gap.
 *
 * @throws InputError that names file, line and column
 */
export async function* readArrivals(file: TextFile, options: ArrivalOptions): AsyncGenerator<Arrival[]> {
  const { fromS, toS } = options;
  for await (const block of scaledArrivals(file, options)) {
    const kept: Arrival[] = [];
    for (const arrival of block) {
      const { atS } = arrival;
      if (atS < fromS || atS >= toS) continue;
      kept.push(fromS === 0 ? arrival : { ...arrival, atS: atS - fromS });
    }
    if (kept.length > 0) yield kept;
  }
}

async function* scaledArrivals(
  file: TextFile,
  { seed, scale, toS }: ArrivalOptions,
): AsyncGenerator<readonly Arrival[]> {
  if (scale === 1) {
    yield* placedArrivals(file, seed, toS);
    return;
  }
  const meanGapS = scale > 1 ? await meanGap(file, seed) : 0;
  const scaler = new ArrivalScaler(scale, meanGapS, randomStream(seed, "scaling"));
  for await (const block of placedArrivals(file, seed, toS)) yield scaler.scale(block);
  yield scaler.rest();
}

/** In seconds, over all arrivals of the file. */
async function meanGap(file: TextFile, seed: number): Promise<number> {
  let count = 0;
  let firstS = 0;
  let lastS = 0;
  for await (const block of placedArrivals(file, seed, Infinity)) {
    if (block.length === 0) continue;
    if (count === 0) firstS = (block[0] as Arrival).atS;
    lastS = (block.at(-1) as Arrival).atS;
    count += block.length;
  }
  return (lastS - firstS) / Math.max(1, count - 1);
}

/** The arrivals of the whole file in blocks, without bins that begin at `toS` or later. */
async function* placedArrivals(
  file: TextFile,
  seed: number,
  toS: number,
): AsyncGenerator<readonly Arrival[]> {
  const random = randomStream(seed, "arrivals");
  for await (const block of readTrace(file)) {
    if (block.kind === "arrivals") {
      yield block.arrivals;
      continue;
    }
    const place = block.kind === "count" ? placeCount : placeRate;
    for (const bin of block.bins) if (bin.fromS < toS) yield* place(bin, random);
  }
}

/**
 * Changes the rate: each arrival is kept floor(scale) times, and once more with the probability of the remainder. The
 * first copy keeps its time; each other one moves later by a uniform part of the mean gap. It holds the copies whose
 * time has not come: about `scale` of them, more while the trace is denser than on average.
 */
class ArrivalScaler {
  readonly #whole: number;
  readonly #part: number;
  readonly #meanGapS: number;
  readonly #random: Random;
  readonly #copies = new TimeHeap<Arrival>();

  /** @throws RangeError when the scale is not above 0 */
  constructor(scale: number, meanGapS: number, random: Random) {
    if (!(scale > 0 && scale < Infinity)) throw new RangeError(`scale is ${scale}; allowed: above 0`);
    this.#whole = Math.floor(scale);
    this.#part = scale - this.#whole;
    this.#meanGapS = meanGapS;
    this.#random = random;
  }

  /** The next arrivals of the trace, in order, with the copies that are due among them. */
  scale(arrivals: readonly Arrival[]): Arrival[] {
    const scaled: Arrival[] = [];
    for (const arrival of arrivals) {
      this.#takeCopies(arrival.atS, scaled);
      const count = this.#whole + (this.#part > 0 && this.#random() < this.#part ? 1 : 0);
      if (count > 0) scaled.push(arrival);
      for (let copy = 1; copy < count; copy++) {
        const atS = arrival.atS + this.#meanGapS * this.#random();
        this.#copies.push(atS, { ...arrival, atS });
      }
    }
    return scaled;
  }

  /** The copies that are left after the last arrival. */
  rest(): Arrival[] {
    const rest: Arrival[] = [];
    this.#takeCopies(Infinity, rest);
    return rest;
  }

  #takeCopies(untilS: number, into: Arrival[]): void {
    while (this.#copies.size > 0 && this.#copies.firstAt <= untilS) into.push(this.#copies.pop() as Arrival);
  }
}
