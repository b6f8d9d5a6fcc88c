/**
 * A clock that advances only when told to, so a run is the same on every machine. Scheduled callbacks run in
 * the order of their times, at equal times in the order of scheduling. A timer fires after everything else at
 * its moment.
 *
 * @example
 * const clock = new VirtualClock();
 * clock.schedule(10, () => console.log(clock.nowMs()));
 * clock.advanceTo(20); // prints 10
 * clock.nowMs(); // 20
 */
import type { Clock, Timer } from "../../base/clock.ts";
import { TimeHeap } from "../../base/time-heap.ts";

interface VirtualTimer {
  /** Infinity while it is not set. */
  atMs: number;
  /** Counts the settings of all timers; of equal times the timer that was set first fires first. */
  sequence: number;
  readonly fire: () => void;
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  readonly #scheduled = new TimeHeap<() => void>();
  /** One for each queue, so a plain list is fast enough. */
  readonly #timers: VirtualTimer[] = [];
  #timersSet = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  /** Call `fire` at `atMs`, or now when that is past; it is called during an advance, never from here. */
  schedule(atMs: number, fire: () => void): void {
    this.#scheduled.push(Math.max(atMs, this.#nowMs), fire);
  }

  createTimer(fire: () => void): Timer {
    const timer: VirtualTimer = { atMs: Infinity, sequence: 0, fire };
    this.#timers.push(timer);
    return {
      clear: () => {
        timer.atMs = Infinity;
      },
      setAt: (atMs) => {
        timer.atMs = Math.max(atMs, this.#nowMs);
        timer.sequence = this.#timersSet++;
      },
    };
  }

  /** Advance to `atMs`; everything that is due by then happens at its own time. */
  advanceTo(atMs: number): void {
    this.#advance(atMs, atMs);
  }

  /**
   * Advance to `atMs`, to just before an outside event at that moment: callbacks scheduled for it have run,
   * timers set for it have not fired.
   */
  advanceToEventAt(atMs: number): void {
    this.#advance(atMs, -Infinity);
  }

  /** Advance until nothing is scheduled any more. */
  runAll(): void {
    this.advanceTo(Infinity);
  }

  #firstTimer(): VirtualTimer | undefined {
    let first = this.#timers[0];
    for (const timer of this.#timers) if (isBefore(timer, first as VirtualTimer)) first = timer;
    return first;
  }

  /** Timers set for `atMs` itself fire when it is at most `lastTimerAtMs`. */
  #advance(atMs: number, lastTimerAtMs: number): void {
    for (;;) {
      const scheduledAtMs = this.#scheduled.firstAt;
      const timer = this.#firstTimer();
      if (timer !== undefined && timer.atMs < scheduledAtMs) {
        if (timer.atMs >= atMs && timer.atMs > lastTimerAtMs) break;
        this.#nowMs = timer.atMs;
        timer.atMs = Infinity;
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

function isBefore(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
