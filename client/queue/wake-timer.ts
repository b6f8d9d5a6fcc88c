/** The one timer of a queue: it fires at the earliest time at which anything wants to be decided. */
import type { Clock, Timer } from "../../base/clock.ts";
import { TimerDelay } from "./timer-delay.ts";

export class WakeTimer {
  readonly #timer: Timer;
  readonly #delay = new TimerDelay();
  #atMs = Infinity;

  constructor(clock: Clock, onFired: () => void) {
    this.#timer = clock.createTimer(onFired);
  }

  /** Infinity: never. */
  set(atMs: number): void {
    if (atMs === this.#atMs) return;
    this.#atMs = atMs;
    this.#timer.setAt(atMs);
  }

  /** It has fired, and is no longer set. */
  fired(nowMs: number): void {
    this.#delay.observe(nowMs - this.#atMs, nowMs);
    this.#atMs = Infinity;
  }

  /** How late timers fire at present, in milliseconds. */
  delayMs(nowMs: number): number {
    return this.#delay.ms(nowMs);
  }
}
