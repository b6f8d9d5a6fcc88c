/**
 * The clock of a machine that stalls at times, as one does that is busy with other work: timers, arrivals and results
 * that are due during a stall come at its end.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import type { VirtualClock } from "../world/virtual-clock.ts";
import type { OutageWorld } from "./outage-world.ts";

export class StalledClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #stalls: OutageWorld["stalls"];

  constructor(clock: VirtualClock, stalls: OutageWorld["stalls"]) {
    this.#clock = clock;
    this.#stalls = stalls;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** When the machine notices what happens at `atMs`. */
  noticedAtMs(atMs: number): number {
    for (const { fromMs, toMs } of this.#stalls) {
      if (fromMs > atMs) break;
      if (atMs < toMs) return toMs;
    }
    return atMs;
  }

  /** Call `fire` when the machine notices what happens at `atMs`. */
  schedule(atMs: number, fire: () => void): void {
    this.#clock.schedule(this.noticedAtMs(atMs), fire);
  }

  createTimer(fire: () => void): Timer {
    const timer = this.#clock.createTimer(fire);
    return { setAt: (atMs) => timer.setAt(this.noticedAtMs(atMs)), clear: () => timer.clear() };
  }
}
