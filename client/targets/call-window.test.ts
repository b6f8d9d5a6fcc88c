import { expect, it } from "vitest";
import { CallWindow } from "./call-window.ts";

it("halves what was under way when throttled, once a round trip, and never goes below one call", () => {
  const window = new CallWindow(100);
  window.throttled(40, 0, 10);
  expect(window.limit).toBe(20);
  for (const formedAtMs of [1, 5, 9]) window.throttled(39, formedAtMs, 12);
  expect(window.limit).toBe(20);
  window.throttled(20, 11, 20);
  expect(window.limit).toBe(10);
  for (let nowMs = 30; nowMs < 100; nowMs += 10) window.throttled(1, nowMs - 5, nowMs);
  expect(window.limit).toBe(1);
});

it("grows by one call for each window full of answers, up to what it began with", () => {
  const window = new CallWindow(12);
  window.throttled(20, 0, 0);
  expect(window.limit).toBe(6);
  for (let answers = 0; answers < 7; answers++) window.answered();
  expect(window.limit).toBe(7);
  for (let answers = 0; answers < 1_000; answers++) window.answered();
  expect(window.limit).toBe(12);
});

it("finds a platform's limit and stays near it", () => {
  const limit = 30;
  const window = new CallWindow(100);
  let throttled = 0;
  let served = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
    // A round trip of 10 ms in which as many calls are sent as may be.
    const sent = window.limit;
    for (let call = 0; call < sent; call++) {
      if (call < limit) window.answered();
      else window.throttled(sent, nowMs, nowMs + 10);
    }
    throttled += Math.max(0, sent - limit);
    served += Math.min(limit, sent);
  }
  expect(throttled / served).toBeLessThan(0.01);
  expect(served / 1_000).toBeGreaterThan(0.7 * limit);
});
