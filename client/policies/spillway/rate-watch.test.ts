import { describe, expect, it } from "vitest";
import { RateWatch } from "./rate-watch.ts";

/** Rows arrive one at a time, evenly, from one moment until before another; whether a change was found. */
function feed(watch: RateWatch, fromMs: number, toMs: number, gapMs: number): boolean {
  let hasChanged = false;
  for (let atMs = fromMs; atMs < toMs; atMs += gapMs) {
    hasChanged = watch.advance(atMs) || hasChanged;
    watch.arrived(1, atMs);
  }
  return hasChanged;
}

describe("the watch of the arrival rate", () => {
  it("knows the rate since the first arrival before the first bin is over", () => {
    const watch = new RateWatch(1_000);
    expect(watch.perMs(5_000)).toBe(0);
    watch.arrived(3, 5_000);
    // A second is the least it divides by.
    expect(watch.perMs(5_000)).toBeCloseTo(0.003, 9);
    watch.arrived(3, 5_400);
    expect(watch.perMs(5_900)).toBeCloseTo(0.006, 9);
  });

  it("counts in bins of a second from the first arrival on", () => {
    const watch = new RateWatch(1_000);
    watch.arrived(4, 500);
    expect(watch.advance(1_499)).toBe(false);
    watch.arrived(2, 1_499);
    watch.advance(1_500);
    expect(watch.perMs(1_500)).toBeCloseTo(0.006, 9);
    // What belongs to a bin that is not over does not count yet.
    watch.arrived(100, 1_500);
    watch.advance(2_499);
    expect(watch.perMs(2_499)).toBeCloseTo(0.006, 9);
  });

  it("finds a lasting change, and knows the rate since then", () => {
    const watch = new RateWatch(1_000);
    expect(feed(watch, 0, 100_000, 20)).toBe(false);
    expect(watch.perMs(100_000)).toBeCloseTo(0.05, 3);
    expect(feed(watch, 100_000, 110_000, 5)).toBe(true);
    expect(watch.perMs(110_000)).toBeCloseTo(0.2, 3);
  });

  it("takes empty bins for a change to an idle time, and bears one that lasts for years", () => {
    const watch = new RateWatch(1_000);
    feed(watch, 0, 100_000, 20);
    expect(watch.advance(130_000)).toBe(true);
    expect(watch.perMs(130_000)).toBeLessThan(0.001);
    const yearsMs = 1e12;
    watch.advance(yearsMs);
    expect(watch.perMs(yearsMs)).toBeLessThan(1e-5);
    // And bins begin at whole seconds from the first arrival as before.
    expect(feed(watch, yearsMs, yearsMs + 20_000, 20)).toBe(true);
    expect(watch.perMs(yearsMs + 20_000)).toBeCloseTo(0.05, 3);
  });

  it("averages the moment exponentially", () => {
    const watch = new RateWatch(400);
    feed(watch, 0, 10_000, 5);
    expect(watch.recentPerMs(10_000)).toBeCloseTo(0.2, 2);
    expect(watch.recentPerMs(10_400) / watch.recentPerMs(10_000)).toBeCloseTo(Math.exp(-1), 9);
    expect(new RateWatch(400).recentPerMs(1e9)).toBe(0);
  });
});
