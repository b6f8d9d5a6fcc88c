/**
 * A cap on the money that functions may cost in any hour and in any day. Before a call the most that it can cost is
 * reserved; afterwards what it did cost takes its place. A bucket that is refilled would let twice the cap through in
 * one hour (what it holds, and what flows in); here a call counts from when it is made until a window after its end.
 *
 * Why that holds: take any window, and of the calls that cost something in it the one that was let in last. Each of
 * the others cost something in the window, so it counts until after the window's end: all of them counted, with no
 * less than they cost, when that one was let in. That was at most the cap.
 *
 * It is as true as the bound on one call: a function's time limit must not be above the one that was given.
 */
import { type Bins, SpendWindow } from "./spend-window.ts";

const hourMs = 3_600_000;
const binsPerHour = 60;
const binsPerDay = 96;
/** When to ask again if what is reserved for calls under way would suffice, in milliseconds. */
const settlingMs = 100;
/** The part of the cap that is claimed in the store at once, so that it need not be written at each call. */
const leasePart = 0.01;

/** In the price sheet's currency; Infinity for none. */
export interface SpendLimits {
  readonly perHour: number;
  readonly perDay: number;
}

/** What outlives the process. */
export interface SavedSpend {
  /** When it was saved, by the clock that the cap is given. */
  readonly atMs: number;
  /** Money, in the cap's currency, that counts as spent if the process that saved it ends without saving again. */
  readonly claimed: number;
  readonly hour: Bins;
  readonly day: Bins;
}

export interface SpendCapOptions {
  readonly limits: SpendLimits;
  readonly currency: string;
  /** When the longest call has ended for sure, in milliseconds from its begin. */
  readonly longestCallMs: number;
  /** Milliseconds of a clock that goes on while the process does not run. Steps back are waited out. */
  readonly nowMs: number;
  readonly saved?: SavedSpend | undefined;
  /** Keeps it where it outlives the process; throws when it cannot, and then no call is let through. */
  readonly save?: ((saved: SavedSpend) => void) | undefined;
  /** Told once when calls are refused from now on, and once when they are let through again. */
  readonly onReached?: (why: string) => void;
  readonly onOver?: () => void;
}

/** Money held for a call under way, in the cap's currency; until when it may run, by the cap's clock. */
export interface Reservation {
  readonly amount: number;
  readonly endsAtMs: number;
}

export interface SpendRefusal {
  readonly why: string;
  readonly retryAfterMs: number;
}

export interface SpendStatus {
  readonly currency: string;
  readonly isReached: boolean;
  /** Held for calls under way. */
  readonly reserved: number;
  readonly hour: { readonly spent: number; readonly limit: number | null };
  readonly day: { readonly spent: number; readonly limit: number | null };
}

export class SpendCap {
  readonly #options: SpendCapOptions;
  readonly #hour: SpendWindow;
  readonly #day: SpendWindow;
  /** Sum of the reservations, and how many there are: without any it is 0, whatever rounding left of it. */
  #reserved = 0;
  #calls = 0;
  /** What the store counts as spent beside the bins that it holds, and what of it has been spent since. */
  #claimed = 0;
  #spentOfClaim = 0;
  /** By how much the clock is behind what it showed when the past was saved. */
  readonly #behindMs: number;
  #latestMs = -Infinity;
  #isReached = false;

  constructor(options: SpendCapOptions) {
    const { saved, nowMs, longestCallMs } = options;
    this.#options = options;
    this.#behindMs = Math.max(0, (saved?.atMs ?? -Infinity) - nowMs);
    this.#hour = new SpendWindow(hourMs, binsPerHour, saved?.hour);
    this.#day = new SpendWindow(24 * hourMs, binsPerDay, saved?.day);
    // Calls of the process before may still be running.
    if (saved !== undefined && saved.claimed > 0)
      this.#spend(saved.claimed, this.#now(nowMs) + longestCallMs, this.#now(nowMs));
    this.#store(0, this.#now(nowMs));
  }

  /** Let a call through that costs at most `amount`, or say why not and until when. */
  reserve(amount: number, givenMs: number): Reservation | SpendRefusal {
    const nowMs = this.#now(givenMs);
    const refusal = this.#refusalOf(amount, nowMs) ?? this.#claim(amount, nowMs);
    if (refusal !== undefined) return refusal;
    this.#reserved += amount;
    this.#calls++;
    if (this.#isReached) {
      this.#isReached = false;
      this.#options.onOver?.();
    }
    return { amount, endsAtMs: nowMs + this.#options.longestCallMs };
  }

  /** The call has ended and cost so much. */
  settle(reservation: Reservation, cost: number, givenMs: number): void {
    const nowMs = this.#now(givenMs);
    this.#end(reservation, cost, nowMs, nowMs);
  }

  /** The call was given up: it may run until its time limit and cost all that was reserved. */
  keep(reservation: Reservation, givenMs: number): void {
    const nowMs = this.#now(givenMs);
    this.#end(reservation, reservation.amount, Math.max(nowMs, reservation.endsAtMs), nowMs);
  }

  /** Nothing more is called: what was claimed ahead is given back, if that can be stored. */
  close(givenMs: number): void {
    try {
      this.#store(this.#reserved, this.#now(givenMs));
    } catch {
      // Then it stays counted, which lets too little through and never too much.
    }
  }

  status(givenMs: number): SpendStatus {
    const nowMs = this.#now(givenMs);
    const { currency, limits } = this.#options;
    const of = (window: SpendWindow, limit: number): SpendStatus["hour"] => {
      return { spent: window.totalAt(nowMs), limit: limit === Infinity ? null : limit };
    };
    const isReached = this.#isReached;
    const [hour, day] = [of(this.#hour, limits.perHour), of(this.#day, limits.perDay)];
    return { currency, isReached, reserved: this.#reserved, hour, day };
  }

  #refusalOf(amount: number, nowMs: number): SpendRefusal | undefined {
    const { limits, currency } = this.#options;
    for (const [window, limit, span] of [
      [this.#day, limits.perDay, "a day"],
      [this.#hour, limits.perHour, "an hour"],
    ] as const) {
      if (limit === Infinity) continue;
      const spent = window.totalAt(nowMs);
      if (spent + this.#reserved + amount <= limit) continue;
      const sums = `${rounded(spent)} of ${limit} ${currency} for ${span} are spent and ${rounded(this.#reserved)} reserved`;
      const why = `the spend cap of functions is reached: ${sums}; a call may cost ${rounded(amount)}`;
      if (spent + amount <= limit) return { why, retryAfterMs: settlingMs };
      if (!this.#isReached) {
        this.#isReached = true;
        this.#options.onReached?.(why);
      }
      const atMs = Math.min(window.fallsToAtMs(limit - amount, nowMs), nowMs + window.windowMs);
      return { why, retryAfterMs: Math.max(settlingMs, atMs - nowMs) };
    }
    return undefined;
  }

  /** See to it that the store counts the call before it is made, and some more, so that it is seldom written. */
  #claim(amount: number, nowMs: number): SpendRefusal | undefined {
    if (this.#reserved + this.#spentOfClaim + amount <= this.#claimed) return undefined;
    const { perHour, perDay } = this.#options.limits;
    const tightest = Math.min(perHour, perDay);
    const lease = tightest === Infinity ? 100 * amount : leasePart * tightest;
    try {
      this.#store(this.#reserved + amount + lease, nowMs);
      return undefined;
    } catch (error) {
      const why = `functions are not called, since what they cost cannot be kept: ${(error as Error).message}`;
      return { why, retryAfterMs: 10 * settlingMs };
    }
  }

  #end({ amount }: Reservation, cost: number, endedAtMs: number, nowMs: number): void {
    this.#calls--;
    this.#reserved = this.#calls === 0 ? 0 : Math.max(0, this.#reserved - amount);
    this.#spend(cost, endedAtMs, nowMs);
    this.#spentOfClaim += cost;
  }

  #spend(cost: number, atMs: number, nowMs: number): void {
    this.#hour.add(cost, atMs, nowMs);
    this.#day.add(cost, atMs, nowMs);
  }

  #store(claimed: number, atMs: number): void {
    this.#options.save?.({ atMs, claimed, hour: this.#hour.bins, day: this.#day.bins });
    this.#claimed = claimed;
    this.#spentOfClaim = 0;
  }

  #now(givenMs: number): number {
    this.#latestMs = Math.max(this.#latestMs, givenMs + this.#behindMs);
    return this.#latestMs;
  }
}

function rounded(amount: number): string {
  return String(Number(amount.toPrecision(4)));
}
