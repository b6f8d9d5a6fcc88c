/**
 * One cap on money for all daemons that joined. A daemon adds what it wants to spend to the counter of the minute, looks at
 * the sum of the window, and takes the amount back when the sum is above the limit; so money is spent only once it is counted
 * below the limit. Of what was granted calls are paid at once, without a question. What is left of a minute is given back
 * at its end, and what a call did not cost at the call's.
 *
 * Why the cap holds: whoever is granted an amount has seen all that was counted before, so that of several who ask at once
 * the last one sees the others. The window is longer than an hour by a call's longest time, by a minute, and by the difference
 * of clocks that is allowed for, so that what is spent in any hour was counted in one window.
 *
 *     const shared = new SharedSpend({ counter, limits: { perHour: 1, perDay: 5 }, currency: "CNY", longestCallMs: 70_000 });
 *     shared.take(0.01, nowMs); // { why: "…", isReached: false, retryAfterMs: 100 }, and a moment later { share: 29_000_000 }
 */
import type { SharedAllowance, SharedRefusal, SpendLimits } from "../../../../targets/spend-cap.ts";
import type { CountedSpend } from "./spend-counter.ts";

export interface SharedSpendOptions {
  readonly counter: CountedSpend;
  readonly limits: SpendLimits;
  readonly currency: string;
  /** Time after which even the longest call has ended, in milliseconds from its start. */
  readonly longestCallMs: number;
}

const nanos = 1e9;
const minuteMs = 60_000;
const hourMs = 3_600_000;
/** Clocks of daemons may differ by so much. */
const clocksMs = minuteMs;
/** The part of the tighter limit that is asked for at once. */
const askedPart = 0.01;
const askingMs = 50;
const awayMs = 1_000;

export class SharedSpend implements SharedAllowance {
  readonly #options: SharedSpendOptions;
  #minute = -1;
  /** Granted in this minute and not taken, in billionths. */
  #free = 0;
  #asking: Promise<void> | undefined;
  #away: string | undefined;

  constructor(options: SharedSpendOptions) {
    this.#options = options;
  }

  take(amount: number, nowMs: number): { readonly share: number } | SharedRefusal {
    this.turn(nowMs);
    const wanted = Math.ceil(amount * nanos);
    if (this.#free >= wanted) {
      this.#free -= wanted;
      if (this.#free < wanted) this.#ask(wanted, nowMs);
      return { share: this.#minute };
    }
    const { counter } = this.#options;
    if (!counter.isConnected)
      return refusal("there is no connection to the NATS server, which counts what all spend", awayMs);
    if (this.#asking === undefined && this.#roomAt(nowMs) < wanted) return this.#reached(amount, nowMs);
    this.#ask(wanted, nowMs);
    return this.#away === undefined
      ? refusal("what all that joined spend is asked for", askingMs)
      : refusal(`the NATS server does not count what all spend (${this.#away})`, awayMs);
  }

  /** Asks for what the next call may cost, so that it need not wait; resolves when that is decided. */
  async prepare(amount: number, nowMs: number): Promise<void> {
    this.turn(nowMs);
    this.#ask(Math.ceil(amount * nanos), nowMs);
    await this.#asking;
  }

  giveBack(share: number, amount: number, nowMs: number): void {
    this.turn(nowMs);
    // A call that cost more than was thought takes what is free; a fraction stays counted.
    const back = amount < 0 ? Math.floor(amount * nanos) : Math.max(0, Math.floor(amount * nanos) - 1);
    if (share !== this.#minute) this.#return(share, back);
    else if (this.#free + back >= 0) this.#free += back;
    else {
      this.#return(share, this.#free + back);
      this.#free = 0;
    }
  }

  spent(nowMs: number): { readonly hour: number; readonly day: number } {
    return { hour: this.#sumAt(nowMs, hourMs) / nanos, day: this.#sumAt(nowMs, 24 * hourMs) / nanos };
  }

  /** What is free of a minute that is over goes back. Call it now and then, also while nothing is spent. */
  turn(nowMs: number): void {
    const minute = Math.floor(nowMs / minuteMs);
    if (minute <= this.#minute) return;
    this.#return(this.#minute, this.#free);
    this.#minute = minute;
    this.#free = 0;
  }

  /** Gives everything back that is free, or that was asked for and comes now. */
  async close(): Promise<void> {
    await this.#asking;
    const free = this.#free;
    this.#free = 0;
    if (free > 0 && this.#options.counter.isConnected)
      await this.#options.counter.add(this.#minute, -free).catch(() => {});
  }

  #return(minute: number, amount: number): void {
    // Where nobody knows whether it arrived it stays counted, which allows too little and never too much.
    if (amount !== 0) this.#options.counter.add(minute, -amount).catch(() => {});
  }

  #ask(wanted: number, nowMs: number): void {
    if (this.#asking !== undefined) return;
    const { perHour, perDay } = this.#options.limits;
    const part = Math.floor(askedPart * Math.min(perHour, perDay) * nanos);
    const room = this.#roomAt(nowMs);
    if (room < wanted) return;
    // Little room is left: others need some too.
    const amount = room < 4 * part ? wanted : Math.max(wanted, part);
    this.#asking = this.#asked(this.#minute, amount, nowMs).finally(() => (this.#asking = undefined));
  }

  async #asked(minute: number, amount: number, nowMs: number): Promise<void> {
    const { counter } = this.#options;
    try {
      await counter.add(minute, amount);
      this.#away = undefined;
    } catch (error) {
      this.#away = (error as Error).message;
      return;
    }
    if (this.#roomAt(nowMs) < 0 || minute !== this.#minute) this.#return(minute, amount);
    else this.#free += amount;
  }

  #roomAt(nowMs: number): number {
    const { perHour, perDay } = this.#options.limits;
    return Math.min(
      Math.floor(perHour * nanos) - this.#sumAt(nowMs, hourMs),
      Math.floor(perDay * nanos) - this.#sumAt(nowMs, 24 * hourMs),
    );
  }

  #sumAt(nowMs: number, windowMs: number): number {
    const first = this.#firstMinute(nowMs, windowMs);
    let sum = 0;
    for (const [minute, amount] of this.#options.counter.counted) if (minute >= first) sum += amount;
    return sum;
  }

  #firstMinute(nowMs: number, windowMs: number): number {
    return Math.floor((nowMs - windowMs - this.#options.longestCallMs - clocksMs) / minuteMs);
  }

  #reached(amount: number, nowMs: number): SharedRefusal {
    const { limits, currency } = this.#options;
    const { hour, day } = this.spent(nowMs);
    const isDay = limits.perDay - day < limits.perHour - hour;
    const [spent, limit, span] = isDay ? [day, limits.perDay, "a day"] : [hour, limits.perHour, "an hour"];
    const why =
      `the spend cap that all who joined share is reached: ${rounded(spent)} of ${limit} ${currency} for ${span}` +
      ` are spent or held; a call may cost ${rounded(amount)}`;
    // What others hold and do not spend comes back at the turn of the minute.
    const turnMs = minuteMs - (nowMs % minuteMs) + awayMs;
    return { why, retryAfterMs: turnMs, isReached: true };
  }
}

function refusal(why: string, retryAfterMs: number): SharedRefusal {
  return { why: `functions are not called for a moment: ${why}`, retryAfterMs, isReached: false };
}

function rounded(amount: number): string {
  return String(Number(amount.toPrecision(4)));
}
