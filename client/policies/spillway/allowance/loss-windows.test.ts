import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LossWindows, shortestRun } from "./loss-windows.ts";

const hourMs = 3_600_000;

function windowsOf(share: number, requests: number, windowMs = hourMs): LossWindows {
  return new LossWindows({ share, requests, windowMs });
}

/** By position, how many of the losses a run may hold that was chosen by `left` alone. */
type Losses = readonly number[];

/** Whether every run of at least so many requests, of all that may still come, keeps the share. */
function keepsRuns(losses: Losses, share: number, requests: number): boolean {
  for (let first = 0; first < losses.length; first++) {
    let lost = 0;
    for (let last = first; last < losses.length; last++) {
      lost += losses[last] as number;
      const run = Math.max(requests, last - first + 1);
      if (lost > Math.floor(share * run + 1e-9)) return false;
    }
  }
  return true;
}

/** What happens next: time passes and requests arrive, one is lost, or as many are given up as may be. */
const happenings = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ waitMs: fc.nat(20_000), arrivals: fc.nat(12) }) },
    { weight: 1, arbitrary: fc.record({ lost: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 4, arbitrary: fc.record({ back: fc.nat(30), atMost: fc.integer({ min: 1, max: 5 }) }) },
  ),
  { maxLength: 60 },
);

describe("the losses that were chosen", () => {
  it.each([
    { share: 0.1, requests: 10 },
    { share: 0.25, requests: 12 },
    { share: 0.3, requests: 7 },
    { share: 1, requests: 1 },
  ])("never are too many in any run of $requests or more at $share, whatever arrives", (kept) => {
    const { share, requests } = kept;
    fc.assert(
      fc.property(happenings, (steps) => {
        const windows = windowsOf(share, requests);
        const chosen: number[] = [];
        let nowMs = 0;
        for (const step of steps) {
          if ("arrivals" in step) {
            nowMs += step.waitMs;
            for (let count = step.arrivals; count > 0; count--) {
              windows.arrived(nowMs);
              chosen.push(0);
            }
          } else if (chosen.length === 0) continue;
          else if ("lost" in step) windows.lost(chosen.length - 1, step.lost);
          else {
            // Only requests that are remembered can be given up.
            const position = Math.max(
              0,
              chosen.length - Math.min(requests, chosen.length),
              chosen.length - 1 - step.back,
            );
            for (let count = Math.min(step.atMost, windows.left(position, nowMs)); count > 0; count--) {
              windows.lost(position);
              chosen[position]!++;
            }
          }
        }
        expect(keepsRuns(chosen, share, requests)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("are as many as a count of every run allows", () => {
    const [share, requests] = [0.2, 10];
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 45 }),
        fc.nat(44),
        fc.integer({ min: 0, max: 3 }),
        (isLost, place, again) => {
          const windows = windowsOf(share, requests);
          const losses: number[] = isLost.map(() => 0);
          for (const _ of isLost) windows.arrived(0);
          const lose = (position: number): void => {
            losses[position]!++;
            windows.lost(position);
          };
          // Every fifth is lost, or two in a row, so that some runs are full.
          for (const [position, lost] of isLost.entries()) if (lost && position % 5 < 2) lose(position);
          const position = Math.min(isLost.length - 1, Math.max(place, isLost.length - requests));
          for (let count = 0; count < again && windows.left(position, 0) > 0; count++) lose(position);
          const whole =
            Math.floor(share * isLost.length + 1e-9) - losses.reduce((sum, each) => sum + each, 0);
          const remembered = Math.min(requests, isLost.length);
          const recent = losses.slice(-remembered).reduce((sum, each) => sum + each, 0);
          const inWindow = Math.floor(share * remembered + 1e-9) - recent;
          let most = 0;
          const with1 = (more: number): number[] =>
            losses.map((each, index) => each + (index === position ? more : 0));
          while (most < Math.min(whole, inWindow) && keepsAround(with1(most + 1), position)) most++;
          expect(windows.left(position, 0)).toBe(Math.max(0, most));
        },
      ),
      { numRuns: 500 },
    );

    /** Whether the runs that hold the position, and no more than two shortest runs, keep the share. */
    function keepsAround(losses: Losses, position: number): boolean {
      for (let first = Math.max(0, position - 2 * requests + 1); first <= position; first++) {
        for (let last = position; last < Math.min(losses.length, first + 2 * requests); last++) {
          const lost = losses.slice(first, last + 1).reduce((sum, each) => sum + each, 0);
          if (lost > Math.floor(share * Math.max(requests, last - first + 1) + 1e-9)) return false;
        }
      }
      return true;
    }
  });

  it("are none while the losses of others fill the window of time, the hour or the whole time", () => {
    const windows = windowsOf(0.1, 20, 60_000);
    for (let count = 0; count < 20; count++) windows.arrived(0);
    expect(windows.left(19, 0)).toBe(2);
    windows.lost(0, 2);
    expect(windows.left(19, 0)).toBe(0);
    // Two minutes later the window holds what arrives there, and the run from the first to the last may lose four.
    for (let count = 0; count < 20; count++) windows.arrived(120_000);
    expect(windows.left(39, 120_000)).toBe(2);
    windows.lost(39, 9);
    // In the hour 11 of 60 are lost, and in the whole time as well.
    for (let count = 0; count < 20; count++) windows.arrived(1_200_000);
    expect(windows.left(59, 1_200_000)).toBe(0);
    for (let count = 0; count < 60; count++) windows.arrived(1_200_000 + hourMs);
    expect(windows.left(119, 1_200_000 + hourMs)).toBe(1);
  });

  it("are no more after a burst than what comes in a window on average allows, though the burst allowed more", () => {
    const windows = windowsOf(0.1, 1_000, 60_000);
    // Ten minutes with 20 requests each, and then 200 at once.
    for (let minute = 0; minute < 10; minute++)
      for (let count = 0; count < 20; count++) windows.arrived(minute * 60_000 + count);
    for (let count = 0; count < 200; count++) windows.arrived(600_000);
    // That minute alone may lose 20; but a window holds 40 on average, and so one that begins here may lose four.
    expect(windows.left(399, 600_000)).toBe(4);
    for (let count = 0; count < 4; count++) windows.lost(399);
    expect(windows.left(399, 600_000)).toBe(0);
    expect(windows.left(380, 600_000)).toBe(0);
    expect(windows.left(300, 600_000)).toBe(4);
  });

  it("are none before enough requests have arrived, and few while few arrive", () => {
    const windows = windowsOf(0.1, 100, 60_000);
    for (let count = 0; count < 9; count++) windows.arrived(0);
    expect(windows.left(8, 0)).toBe(0);
    windows.arrived(0);
    expect(windows.left(9, 0)).toBe(1);
    // One that was not used is not kept for later: the minute that ends then has no request.
    expect(windows.left(9, 61_000)).toBe(0);
  });

  it("count where their requests arrived", () => {
    const windows = windowsOf(0.5, 4);
    for (const atMs of [0, 10, 10, 20]) windows.arrived(atMs);
    expect([0, 5, 10, 15, 20, 25].map((atMs) => windows.positionAt(atMs))).toEqual([0, 1, 1, 3, 3, 3]);
    windows.arrived(30);
    // Of the first request nothing is remembered any more.
    expect(windows.positionAt(0)).toBe(1);
  });
});

describe("the shortest run that is kept", () => {
  it("has 50 losses for each minute of the window, and at most 65,536 requests", () => {
    expect(shortestRun({ share: 0.01, windowMs: 60_000 })).toBe(5_000);
    expect(shortestRun({ share: 0.1, windowMs: 600_000 })).toBe(5_000);
    expect(shortestRun({ share: 1e-6, windowMs: 60_000 })).toBe(65_536);
  });
});
