import { expect, it } from "vitest";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";

const whole = (): number => 0;
const half = (): number => 1 - 1e-12;

/** The pauses after failures in a row, each as soon as the one before is over. */
function pauses(codes: readonly ErrorCode[], random = whole): number[] {
  const breaker = new CircuitBreaker(random);
  let nowMs = 0;
  return codes.map((code) => {
    breaker.failed(new SpillwayError(code), nowMs, nowMs);
    const pauseMs = breaker.suspendedUntilMs - nowMs;
    nowMs = breaker.suspendedUntilMs;
    return Math.round(pauseMs);
  });
}

const times = (count: number, code: ErrorCode): ErrorCode[] => Array.from({ length: count }, () => code);

it("pauses 0.1 s, doubling to 5 s, and each pause is spread between half and whole", () => {
  expect(pauses(times(8, "target_throttled"))).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  expect(pauses(times(3, "target_throttled"), half)).toEqual([50, 100, 200]);
});

it("lets a function that does not start be tried once more, and then leaves it alone for longer, up to a minute", () => {
  expect(pauses(times(6, "target_broken"))).toEqual([100, 5_000, 10_000, 20_000, 40_000, 60_000]);
});

it("fails until a call succeeds, and takes calls that were under way at a failure for a part of it", () => {
  const breaker = new CircuitBreaker(whole);
  breaker.failed(new SpillwayError("target_fault"), 0, 10);
  breaker.failed(new SpillwayError("target_fault"), 5, 20);
  expect([breaker.isFailing, breaker.suspendedUntilMs]).toEqual([true, 110]);
  breaker.succeeded();
  expect([breaker.isFailing, breaker.suspendedUntilMs]).toEqual([false, -Infinity]);
});

it("knows what would meet every function, and what is one's own", () => {
  const failing = (code: ErrorCode): boolean => {
    const breaker = new CircuitBreaker(whole);
    breaker.failed(new SpillwayError(code), 0, 0);
    return breaker.failsForAll;
  };
  expect((["target_throttled", "target_unreachable"] as const).map(failing)).toEqual([true, true]);
  expect((["target_broken", "target_denied", "target_timeout"] as const).map(failing)).toEqual([
    false,
    false,
    false,
  ]);
});

it("waits out what this side refuses, whatever succeeds meanwhile, and calls that no failure", () => {
  const breaker = new CircuitBreaker(whole);
  const capped = new SpillwayError("spend_cap_reached", "spent", { retryAfterMs: 70 });
  breaker.refused(capped, 30);
  breaker.succeeded();
  expect([breaker.isFailing, breaker.failsForAll, breaker.suspendedUntilMs]).toEqual([false, true, 100]);
  expect([breaker.whyNot(99), breaker.whyNot(100)]).toEqual([capped, undefined]);
});
