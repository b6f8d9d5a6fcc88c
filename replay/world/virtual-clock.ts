/**
 * Time that passes only when told to. Whatever is scheduled happens in order of its time, and of its
 * scheduling where times are equal; a timer comes after everything else of its moment. So a run is the same on
 * every machine.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import { TimeHeap } from "../../base/time-heap.ts";

interface VirtualTimer {
  /** Infinity while it is not set. */
  atMs: number;
  /** Which setting of a timer it was; of equal times the one that was set first fires first. */
  sequence: number;
  readonly fire: () => void;
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  readonly #scheduled = new TimeHeap<() => void>();
  /** One for each queue, so a plain list does. */
  readonly #timers: VirtualTimer[] = [];
  #timersSet = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  /** Call `fire` at `atMs`, or now when that is past: in any case from an advance, never from here. */
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
    for (const timer of this.#timers) if (isBefore(timer, first as VirtualTimer)) first = timer;
    return first;
  }

  /** Timers of `atMs` itself fire when it is at most `lastTimerAtMs`. */
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
