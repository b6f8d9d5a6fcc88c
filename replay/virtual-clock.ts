/**
 * Time that passes only when told to. Whatever is scheduled happens in order of its time, and of its
 * scheduling where times are equal; a timer comes after everything else of its moment. So a run is the same on
 * every machine.
 */
import type { Clock, Timer } from "../client/clock.ts";
import { TimeHeap } from "./time-heap.ts";

interface VirtualTimer {
  atMs: number;
  readonly fire: () => void;
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  readonly #scheduled = new TimeHeap<() => void>();
  /** Those that are set, in the order they were set in: one for each queue, so a plain list does. */
  readonly #timers: VirtualTimer[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  /** Call `fire` at `atMs`, or now when that is past: in any case from an advance, never from here. */
  schedule(atMs: number, fire: () => void): void {
    this.#scheduled.push(Math.max(atMs, this.#nowMs), fire);
  }

  createTimer(fire: () => void): Timer {
    const timer: VirtualTimer = { atMs: Infinity, fire };
    return {
      clear: () => this.#clear(timer),
      setAt: (atMs) => {
        this.#clear(timer);
        if (atMs === Infinity) return;
        timer.atMs = Math.max(atMs, this.#nowMs);
        this.#timers.push(timer);
      },
    };
  }

  /** Let time pass until `atMs`; everything due by then happens at its own time. */
  advanceTo(atMs: number): void {
    this.#advance(atMs, atMs);
  }

  /**
   * Let time pass until `atMs`, as far as it goes before something from outside happens at that moment: what
   * was scheduled for it has happened, timers set for it have not fired.
   */
  advanceToEventAt(atMs: number): void {
    this.#advance(atMs, -Infinity);
  }

  /** Let time pass until nothing is scheduled any more. */
  runAll(): void {
    this.advanceTo(Infinity);
  }

  #firstTimer(): VirtualTimer | undefined {
    let first = this.#timers[0];
    for (const timer of this.#timers) if (timer.atMs < (first as VirtualTimer).atMs) first = timer;
    return first;
  }

  #clear(timer: VirtualTimer): void {
    if (timer.atMs === Infinity) return;
    timer.atMs = Infinity;
    this.#timers.splice(this.#timers.indexOf(timer), 1);
  }

  /** Timers of `atMs` itself fire when it is at most `lastTimerAtMs`. */
  #advance(atMs: number, lastTimerAtMs: number): void {
    for (;;) {
      const scheduledAtMs = this.#scheduled.firstAt;
      const timer = this.#firstTimer();
      if (timer !== undefined && timer.atMs < scheduledAtMs) {
        if (timer.atMs >= atMs && timer.atMs > lastTimerAtMs) break;
        this.#nowMs = timer.atMs;
        this.#clear(timer);
        timer.fire();
      } else {
        if (scheduledAtMs > atMs || scheduledAtMs === Infinity) break;
        this.#nowMs = scheduledAtMs;
        (this.#scheduled.pop() as () => void)();
      }
    }
    if (atMs > this.#nowMs && atMs < Infinity) this.#nowMs = atMs;
  }
}
