/**
 * Caps the money that functions may cost in any hour and in any day. Before a call the most that it can cost
 * is reserved; afterwards its actual cost takes the place of the reservation. A token bucket would let twice
 * the cap through in one hour: its content and its refill. Here a call counts until one window after its end.
 *
 * Why the cap holds: take any window and, of the calls that cost something in it, the one that was admitted
 * last. Each of the others cost something in the window, so it counts until after the window's end. Hence all
 * of them counted, at no less than their cost, when the last one was admitted, and the sum was at most the
 * cap.
 *
 * The cap relies on the bound on one call: a function's time limit must not be above the one given here.
 *
 * @example
 * const limits = { perHour: 1, perDay: 10 };
 * const cap = new SpendCap({ limits, currency: "USD", longestCallMs: 60_000, nowMs: 0 });
 * cap.reserve(0.6, 0); // { amount: 0.6, endsAtMs: 60_000 }
 * cap.reserve(0.6, 0); // { why: "the spend cap of functions is reached: ...", retryAfterMs: 100 }
 */
import { type Bins, SpendWindow } from "./spend-window.ts";

const hourMs = 3_600_000;
const binsPerHour = 60;
const binsPerDay = 96;
/** When to ask again if only reservations of calls in flight stand in the way, in milliseconds. */
const settlingMs = 100;
/** The part of the cap that is claimed in the store ahead of time, so that not every call needs a write. */
const leasePart = 0.01;

/** In the price sheet's currency; Infinity for no limit. */
export interface SpendLimits {
  readonly perHour: number;
  readonly perDay: number;
}

/** The state that outlives the process. */
export interface SavedSpend {
  /** When it was saved, on the cap's clock. */
  readonly atMs: number;
  /** Money, in the cap's currency, that counts as spent if the process ends without saving again. */
  readonly claimed: number;
  readonly hour: Bins;
  readonly day: Bins;
}

/**
 * Money that several daemons spend together, of which this one holds a part that is granted. It answers at once; more is
 * asked for beside that.
 */
export interface SharedAllowance {
  /** Takes what a call costs at most; the share that it came from, or why there is none now. */
  take(amount: number, nowMs: number): { readonly share: number } | SharedRefusal;
  /** What a call did not cost of what it took. */
  giveBack(share: number, amount: number, nowMs: number): void;
  /** What all have spent or hold. */
  spent(nowMs: number): { readonly hour: number; readonly day: number };
}

export interface SharedRefusal extends SpendRefusal {
  /** False: it is only being asked for. */
  readonly isReached: boolean;
}

export interface SpendCapOptions {
  readonly limits: SpendLimits;
  readonly currency: string;
  /** Time after which even the longest call has ended, in milliseconds from its start. */
  readonly longestCallMs: number;
  /**
   * Time in milliseconds on a clock that advances even while the process is stopped. When it steps back, the
   * cap's time stands still until it has caught up.
   */
  readonly nowMs: number;
  readonly saved?: SavedSpend | undefined;
  /** The limits hold for several daemons together: no call is admitted before `share` has told of them. Default: false. */
  readonly isShared?: boolean | undefined;
  /** Of all functions, what the longest call costs. Default: 0. */
  readonly mostOfCall?: number;
  /** Stores the state where it outlives the process; throws when it cannot, and then no call is admitted. */
  readonly save?: ((saved: SavedSpend) => void) | undefined;
  /** Called once when calls begin to be refused; `onOver` is called once when they are admitted again. */
  readonly onReached?: (why: string) => void;
  readonly onOver?: () => void;
}

/** Money held for a call in flight, in the cap's currency, and its latest end, on the cap's clock. */
export interface Reservation {
  readonly amount: number;
  readonly endsAtMs: number;
  /** Of the money of all, where that is shared. */
  readonly share?: number;
}

export interface SpendRefusal {
  readonly why: string;
  readonly retryAfterMs: number;
}

export interface SpendStatus {
  readonly currency: string;
  readonly isReached: boolean;
  /** Held for calls in flight. */
  readonly reserved: number;
  readonly hour: { readonly spent: number; readonly limit: number | null };
  readonly day: { readonly spent: number; readonly limit: number | null };
  /** What all daemons that share the limits have spent or hold; undefined: they are this daemon's own. */
  readonly shared?: { readonly hour: number; readonly day: number };
}

export class SpendCap {
  readonly #options: SpendCapOptions;
  readonly #hour: SpendWindow;
  readonly #day: SpendWindow;
  /** Sum and number of the reservations. Without any the sum is set to 0, which drops rounding errors. */
  #reserved = 0;
  #calls = 0;
  /** What the store counts as spent beside its bins, and how much of that has been spent since. */
  #claimed = 0;
  #spentOfClaim = 0;
  /** How far the clock is behind the time at which the state was saved. */
  readonly #behindMs: number;
  #latestMs = -Infinity;
  #isReached = false;
  #shared: SharedAllowance | undefined;

  constructor(options: SpendCapOptions) {
    const { saved, nowMs, longestCallMs } = options;
    this.#options = options;
    this.#behindMs = Math.max(0, (saved?.atMs ?? -Infinity) - nowMs);
    this.#hour = new SpendWindow(hourMs, binsPerHour, saved?.hour);
    this.#day = new SpendWindow(24 * hourMs, binsPerDay, saved?.day);
    // Calls of the previous process may still be running.
    if (saved !== undefined && saved.claimed > 0)
      this.#spend(saved.claimed, this.#now(nowMs) + longestCallMs, this.#now(nowMs));
    this.#store(0, this.#now(nowMs));
  }

  /** Of all functions, what the longest call costs. */
  get mostOfCall(): number {
    return this.#options.mostOfCall ?? 0;
  }

  /** From now on calls are paid out of what several daemons may spend together as well. */
  share(allowance: SharedAllowance): void {
    this.#shared = allowance;
  }

  /** Admit a call that costs at most `amount`, or say why not and when to ask again. */
  reserve(amount: number, givenMs: number): Reservation | SpendRefusal {
    const nowMs = this.#now(givenMs);
    const refusal = this.#refusalOf(amount, nowMs);
    if (refusal !== undefined) return refusal;
    const taken = this.#takeShare(amount, givenMs);
    if (taken !== undefined && "why" in taken) return taken;
    const unclaimed = this.#claim(amount, nowMs);
    if (unclaimed !== undefined) {
      if (taken !== undefined) this.#shared?.giveBack(taken.share, amount, givenMs);
      return unclaimed;
    }
    this.#reserved += amount;
    this.#calls++;
    if (this.#isReached) {
      this.#isReached = false;
      this.#options.onOver?.();
    }
    return { amount, endsAtMs: nowMs + this.#options.longestCallMs, ...taken };
  }

  /** The call has ended and cost this much. */
  settle(reservation: Reservation, cost: number, givenMs: number): void {
    const nowMs = this.#now(givenMs);
    const { share, amount } = reservation;
    if (share !== undefined) this.#shared?.giveBack(share, amount - cost, givenMs);
    this.#end(reservation, cost, nowMs, nowMs);
  }

  /** The call was given up. It may run until its time limit, so all that was reserved counts as spent. */
  keep(reservation: Reservation, givenMs: number): void {
    const nowMs = this.#now(givenMs);
    this.#end(reservation, reservation.amount, Math.max(nowMs, reservation.endsAtMs), nowMs);
  }

  /** No more calls follow: give back what was claimed ahead, if the store takes it. */
  close(givenMs: number): void {
    try {
      this.#store(this.#reserved, this.#now(givenMs));
    } catch {
      // Then the claim stays counted, which admits too little and never too much.
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
    const shared = this.#shared?.spent(givenMs);
    return { currency, isReached, reserved: this.#reserved, hour, day, ...(shared && { shared }) };
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
      this.#reached(why);
      const atMs = Math.min(window.fallsToAtMs(limit - amount, nowMs), nowMs + window.windowMs);
      return { why, retryAfterMs: Math.max(settlingMs, atMs - nowMs) };
    }
    return undefined;
  }

  #takeShare(amount: number, nowMs: number): { readonly share: number } | SpendRefusal | undefined {
    if (this.#options.isShared !== true) return undefined;
    const taken = this.#shared?.take(amount, nowMs);
    if (taken === undefined)
      return {
        why: "functions are not called before it is known what all that joined have spent",
        retryAfterMs: 10 * settlingMs,
      };
    if ("why" in taken && taken.isReached) this.#reached(taken.why);
    return taken;
  }

  #reached(why: string): void {
    if (this.#isReached) return;
    this.#isReached = true;
    this.#options.onReached?.(why);
  }

  /** Make the store count the call before it is made, and some more with it, so that writes are rare. */
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
