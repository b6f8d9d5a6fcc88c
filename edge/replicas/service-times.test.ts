import { describe, expect, it } from "vitest";
import { ServiceTimes } from "./service-times.ts";

const affineMs = (rows: number): number => 40 + 15 * rows;

function learned(...sizes: number[]): ServiceTimes {
  const times = new ServiceTimes();
  for (const rows of sizes) for (let run = 0; run < 5; run++) times.observe("a", rows, affineMs(rows), 0);
  return times;
}

describe("the learned times of batches", () => {
  it("know nothing of a kind that never ran", () => {
    expect(learned(1).of("b")).toBeUndefined();
  });

  it("tell the time of sizes between and a little beyond those that ran", () => {
    const times = learned(1, 8, 16).of("a");
    expect(times?.expectedMs(4)).toBeCloseTo(100, 6);
    expect(times?.expectedMs(16)).toBeCloseTo(280, 6);
    expect(times?.knownRows).toBe(32);
  });

  it("take a size for the cheaper, the further it is beyond what ran, so that larger batches are tried", () => {
    const times = learned(1).of("a");
    expect(times?.expectedMs(1)).toBe(55);
    expect(times?.expectedMs(2)).toBeLessThan(2 * 55);
    expect(times?.knownRows).toBe(2);
  });

  it("are not moved by one stall, nor is their margin", () => {
    const times = learned(1, 8, 16);
    times.observe("a", 16, 3_000, 0);
    expect(times.of("a")?.expectedMs(16)).toBeCloseTo(280, 6);
    expect(times.of("a")?.safeMs(16)).toBeCloseTo(280, 6);
  });

  it("follow a change within three batches, up and down", () => {
    const times = learned(16);
    for (let run = 0; run < 3; run++) times.observe("a", 16, 3 * affineMs(16), 0);
    expect(times.of("a")?.expectedMs(16)).toBeCloseTo(840, 6);
    for (let run = 0; run < 3; run++) times.observe("a", 16, affineMs(16), 0);
    expect(times.of("a")?.expectedMs(16)).toBeCloseTo(280, 6);
  });

  it("keep a margin as wide as recent times spread", () => {
    const times = learned(16);
    for (let run = 0; run < 40; run++) times.observe("a", 16, 280 * (run % 2 === 0 ? 1 : 1.2), 0);
    expect(times.of("a")?.safeMs(16)).toBeGreaterThanOrEqual(280 * 1.19);
    expect(times.of("a")?.safeMs(16)).toBeLessThan(280 * 1.5);
  });

  it("forget a size that was not seen for half a minute", () => {
    const times = learned(1, 16);
    times.observe("a", 1, 55, 29_000);
    expect(times.of("a")?.knownRows).toBe(32);
    times.observe("a", 1, 55, 31_000);
    expect(times.of("a")?.knownRows).toBe(2);
  });

  it("want tried what did not run for two seconds, once in two seconds, and always what is larger than all that ran", () => {
    const times = learned(1, 16).of("a");
    expect([times?.shouldTry(1, 1_999), times?.shouldTry(16, 1_999)]).toEqual([false, false]);
    expect([times?.shouldTry(1, 2_000), times?.shouldTry(1, 2_001)]).toEqual([true, false]);
    expect([times?.shouldTry(1, 4_000), times?.shouldTry(1, 4_001)]).toEqual([true, false]);
    expect([times?.shouldTry(33, 2_000), times?.shouldTry(33, 2_001)]).toEqual([true, true]);
  });
});
