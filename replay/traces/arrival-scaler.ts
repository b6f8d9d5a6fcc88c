/** Changes the rate of a stream of arrivals: below 1 by leaving some out, above 1 by copies that come later. */
import type { Random } from "../../base/random.ts";
import { TimeHeap } from "../../base/time-heap.ts";
import type { Arrival } from "./trace-lines.ts";

/**
 * Every arrival stays floor(scale) times and once more with the probability of the rest. The first copy keeps
 * its time, each other is moved later by a uniform part of the mean gap. Holds the copies whose time has not
 * come: about `scale` of them, more while the trace is denser than on average.
 */
export class ArrivalScaler {
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

  /** What the next arrivals of the trace, in order, come to: copies that are due among them, and those that stay. */
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
