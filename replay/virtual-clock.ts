/**
 * Time that passes only when told to. Whatever is scheduled happens in order of its time, and of its
 * scheduling where times are equal, so a run is the same on every machine.
 */
import type { Clock, Timer } from "../client/clock.ts";

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  readonly fire: () => void;
  cancelled: boolean;
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  /** A binary heap by time, then sequence. */
  readonly #heap: Entry[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  /** Call `fire` at `atMs`, or now when that is past: in any case from `advanceTo`, never from here. */
  schedule(atMs: number, fire: () => void): { cancel(): void } {
    const entry: Entry = {
      atMs: Math.max(atMs, this.#nowMs),
      sequence: this.#sequence++,
      fire,
      cancelled: false,
    };
    this.#push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  }

  createTimer(fire: () => void): Timer {
    let pending: { cancel(): void } | undefined;
    const clear = (): void => {
      pending?.cancel();
      pending = undefined;
    };
    return {
      clear,
      setAt: (atMs) => {
        clear();
        if (atMs === Infinity) return;
        pending = this.schedule(atMs, () => {
          pending = undefined;
          fire();
        });
      },
    };
  }

  /** Let time pass until `atMs`; everything due by then happens at its own time. */
  advanceTo(atMs: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= atMs; first = this.#heap[0]) {
      this.#pop();
      if (first.cancelled) continue;
      this.#nowMs = first.atMs;
      first.fire();
    }
    if (atMs > this.#nowMs && atMs < Infinity) this.#nowMs = atMs;
  }

  /** Let time pass until nothing is scheduled any more. */
  runAll(): void {
    this.advanceTo(Infinity);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    for (; at > 0;) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(entry, heap[parent] as Entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
