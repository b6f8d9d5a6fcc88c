/**
 * How many requests may still miss their SLO, so that no window holds more losses than a share of its requests. Four kinds of
 * windows are kept:
 *
 * - every run of at least so many requests, in the order of their arrival, and so every span of time in which as many arrive.
 *   That many is what allows 50 losses for each minute of the window, or what a window held on average in the last hour, if that is less:
 *   a window that begins with a burst holds fewer requests than the burst lets expect;
 * - of those that end now, the one of a given time, the last hour, and the whole time.
 *
 * Losses that were not chosen count, too, but nobody can keep them from being too many. Those that were chosen never are in
 * any run of the greater length, whatever arrives. That cannot be said of a span of time: when no more requests come after a loss, the minute that
 * begins with it holds nothing else. For the same reason a loss counts where its request arrived, not when it was given up.
 */

/** Losses of a run of the least length, for each minute of the window: with fewer, no call would be saved as a whole. */
const lossesPerMinute = 50;
/** The least length of a run is at most so many requests, which bounds the memory. */
const mostRequests = 65_536;
const minuteMs = 60_000;
const minutesInHour = 60;

export interface LossWindowsOptions {
  /** Share of requests that may be lost, above 0 and at most 1. */
  readonly share: number;
  /** The window of time, in milliseconds, above 0. */
  readonly windowMs: number;
  /** Least length of a run, in requests, from 1. Default: as of `shortestRun`. */
  readonly requests?: number;
}

/** The least length of a run, in requests: 50 losses for each minute of the window, at most 65,536. */
export function shortestRun({ share, windowMs }: LossWindowsOptions): number {
  return Math.min(mostRequests, Math.ceil((lossesPerMinute * windowMs) / minuteMs / share));
}

/**
 * @example One request in ten may be lost, in every run of 20 or more, and 40 have arrived at once:
 * windows.left(39, 0); // 2
 * windows.lost(39);
 * windows.lost(39);
 * windows.left(30, 0); // 0: the run from 30 to 39 is part of one of 20 that has its two losses
 * windows.left(10, 0); // 1: there are runs of 30 around both, with at most three
 */
export class LossWindows {
  readonly #share: number;
  readonly #windowMs: number;
  readonly #requests: number;
  /** When the last requests arrived, by position modulo the length. */
  readonly #arrivedAtMs: Float64Array;
  #firstAtMs = 0;
  #arrived = 0;
  #lost = 0;
  /** Positions of losses in the last three shortest runs, in order, and how many there are at each. */
  readonly #positions: number[] = [];
  readonly #counts: number[] = [];
  /** By minute, of the last hour. */
  readonly #arrivedIn = new Float64Array(minutesInHour);
  readonly #lostIn = new Float64Array(minutesInHour);
  #minute = 0;

  constructor(options: LossWindowsOptions) {
    const { share, windowMs, requests = shortestRun(options) } = options;
    this.#share = share;
    this.#windowMs = windowMs;
    this.#requests = requests;
    this.#arrivedAtMs = new Float64Array(requests);
  }

  /** Requests that have arrived; the position of the next one. */
  get arrivals(): number {
    return this.#arrived;
  }

  arrived(nowMs: number): void {
    this.#turnTo(nowMs);
    if (this.#arrived === 0) this.#firstAtMs = nowMs;
    this.#arrivedAtMs[this.#arrived % this.#requests] = nowMs;
    this.#arrived++;
    this.#arrivedIn[this.#minute % minutesInHour]!++;
  }

  /** Position of the first remembered request that arrived at that time or later; the last one when there is none. */
  positionAt(arrivedAtMs: number): number {
    let least = Math.max(0, this.#arrived - this.#requests);
    let most = Math.max(least, this.#arrived - 1);
    while (least < most) {
      const middle = (least + most) >>> 1;
      if ((this.#arrivedAtMs[middle % this.#requests] as number) < arrivedAtMs) least = middle + 1;
      else most = middle;
    }
    return least;
  }

  /** The request at that position has missed its SLO, or will. @param count how many have, if the others are not known */
  lost(position: number, count = 1): void {
    this.#lost += count;
    this.#lostIn[this.#minute % minutesInHour]! += count;
    const index = this.#indexOf(position);
    if (this.#positions[index] === position) this.#counts[index]! += count;
    else {
      this.#positions.splice(index, 0, position);
      this.#counts.splice(index, 0, count);
    }
    // A longer run falls apart into runs of up to twice the least length, and one of these may hold the first remembered request.
    const kept = this.#indexOf(this.#arrived - 3 * this.#requests);
    this.#positions.splice(0, kept);
    this.#counts.splice(0, kept);
  }

  /** How many more requests at that position may be lost, 0 or more. */
  left(position: number, nowMs: number): number {
    this.#turnTo(nowMs);
    const [arrivedIn, lostIn] = [sum(this.#arrivedIn), sum(this.#lostIn)];
    const least = Math.min(
      this.#allowed(this.#arrived) - this.#lost,
      this.#allowed(arrivedIn) - lostIn,
      this.#leftInWindow(nowMs),
    );
    if (least <= 0) return 0;
    // What was chosen by a longer run may be too much for a shorter one, and the other way round.
    const run = this.#runAt(nowMs, arrivedIn);
    const leftInShorter = run < this.#requests ? this.#leftInRuns(position, run) : Infinity;
    return Math.max(0, Math.min(least, this.#leftInRuns(position, this.#requests), leftInShorter));
  }

  #allowed(requests: number): number {
    return Math.floor(this.#share * requests + 1e-9);
  }

  /** In the window of time, of which no more requests count than the shortest run has. */
  #leftInWindow(nowMs: number): number {
    const first = this.positionAt(nowMs - this.#windowMs);
    let lost = 0;
    for (let index = this.#indexOf(first); index < this.#counts.length; index++)
      lost += this.#counts[index] as number;
    return this.#allowed(this.#arrived - first) - lost;
  }

  /** As many requests as a window held on average in the last hour, when so many arrived in it; enough for one loss at least. */
  #runAt(nowMs: number, arrivedIn: number): number {
    const spanMs = Math.min(minutesInHour * minuteMs, nowMs - this.#firstAtMs);
    return Math.max(Math.ceil(1 / this.#share - 1e-9), Math.ceil((arrivedIn * this.#windowMs) / spanMs));
  }

  /** In the runs that begin and end with a loss and hold that position. */
  #leftInRuns(position: number, shortest: number): number {
    const middle = this.#indexOf(position);
    let least = Infinity;
    let after = 0;
    for (let end = middle - 1; end < this.#positions.length && least > 0; end++) {
      const endsAt = end < middle ? position : (this.#positions[end] as number);
      if (end >= middle) after += this.#counts[end] as number;
      if (endsAt - position >= 2 * shortest) break;
      let lost = after;
      for (let start = middle; start >= 0 && least > 0; start--) {
        const startsAt = start === middle ? position : (this.#positions[start] as number);
        if (start < middle) lost += this.#counts[start] as number;
        const length = endsAt - startsAt + 1;
        if (length > 2 * shortest) break;
        least = Math.min(least, this.#allowed(Math.max(length, shortest)) - lost);
      }
    }
    return least;
  }

  /** Index of the first loss at that position or later. */
  #indexOf(position: number): number {
    let least = 0;
    let most = this.#positions.length;
    while (least < most) {
      const middle = (least + most) >>> 1;
      if ((this.#positions[middle] as number) < position) least = middle + 1;
      else most = middle;
    }
    return least;
  }

  /** Empty the minutes that have passed since. */
  #turnTo(nowMs: number): void {
    const minute = Math.floor(nowMs / minuteMs);
    if (minute <= this.#minute) return;
    for (let next = Math.max(this.#minute + 1, minute - minutesInHour + 1); next <= minute; next++) {
      this.#arrivedIn[next % minutesInHour] = 0;
      this.#lostIn[next % minutesInHour] = 0;
    }
    this.#minute = minute;
  }
}

function sum(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
