import { expect, it } from "vitest";
import { testQueue } from "../../test/support/scripted-target.ts";
import { withTimerSlack } from "../policies/with-timer-slack.ts";
import type { Policy } from "../policies/policy.ts";
import type { Clock } from "../../base/clock.ts";
import type { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { TimerDelay } from "./timer-delay.ts";

it("keeps the worst delay, and forgets half of it every 30 s", () => {
  const delay = new TimerDelay();
  expect(delay.ms(5)).toBe(0);
  delay.observe(40, 1_000);
  delay.observe(10, 2_000);
  expect(delay.ms(1_000)).toBeCloseTo(40, 9);
  expect(delay.ms(31_000)).toBeCloseTo(20, 9);
  delay.observe(30, 31_000);
  expect(delay.ms(31_000)).toBeCloseTo(30, 9);
});

it("takes the usual lateness of a timer for none", () => {
  const delay = new TimerDelay();
  delay.observe(0.4, 0);
  delay.observe(-1, 0);
  expect(delay.ms(0)).toBe(0);
});

it("makes calls leave earlier once the queue's timers have been late, up to a bound", () => {
  /** Sends each request when 50 ms are left. */
  const lastMoment: Policy = {
    name: "last moment",
    decide: ({ nowMs, line }) => {
      const atMs = line.at(0).deadlineAtMs - 50;
      if (nowMs < atMs) return { kind: "wait", untilMs: atMs };
      return { kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "deadline" };
    },
  };
  const leftWith = (lateMs: number): number[] => {
    const { clock, submit, batches } = testQueue((virtual) => ({
      policy: withTimerSlack(lastMoment, 5, 80),
      clock: withLateTimers(virtual, lateMs),
      sloMs: 1_000,
    }));
    for (const atMs of [0, 2_000]) {
      clock.advanceTo(atMs);
      submit(atMs);
    }
    clock.runAll();
    return batches().map(({ atMs, requests: [id] }) => 2_000 * (id as number) + 1_000 - atMs);
  };
  // The first request leaves as late as the timer; from then on the delay is known.
  expect(leftWith(0)).toEqual([55, 55]);
  expect(leftWith(30)[0]).toBe(25);
  expect(leftWith(30)[1]).toBeGreaterThan(45);
  expect(leftWith(90)).toEqual([40]);
});

function withLateTimers(clock: VirtualClock, lateMs: number): Clock {
  return {
    nowMs: () => clock.nowMs(),
    createTimer: (fire) => {
      const timer = clock.createTimer(fire);
      return { clear: () => timer.clear(), setAt: (atMs) => timer.setAt(atMs + lateMs) };
    },
  };
}
