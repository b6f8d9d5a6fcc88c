import { expect, it } from "vitest";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { readyAtMs } from "./target-view.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";

const whole = (): number => 0;
const half = (): number => 1 - 1e-12;

/** The pauses after failures in a row, each as soon as the one before is over. */
function pauses(codes: readonly ErrorCode[], random = whole): number[] {
  const breaker = new CircuitBreaker(random);
  let nowMs = 0;
  return codes.map((code) => {
    breaker.failed(new SpillwayError(code), nowMs, nowMs);
    const untilMs = readyAtMs(breaker.health(nowMs));
    const pauseMs = untilMs - nowMs;
    nowMs = untilMs;
    return Math.round(pauseMs);
  });
}

const times = (count: number, code: ErrorCode): ErrorCode[] => Array.from({ length: count }, () => code);

it("pauses 0.1 s, doubling to 5 s, and each pause is spread between half and whole", () => {
  expect(pauses(times(8, "target_throttled"))).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  expect(pauses(times(3, "target_throttled"), half)).toEqual([50, 100, 200]);
});

it("lets a function that does not start be tried once more, and then every 5 s", () => {
  expect(pauses(times(4, "target_broken"))).toEqual([100, 5_000, 5_000, 5_000]);
});

it("pauses, is probed until a call succeeds, and takes calls that were under way at a failure for a part of it", () => {
  const breaker = new CircuitBreaker(whole);
  breaker.failed(new SpillwayError("target_fault"), 0, 10);
  breaker.failed(new SpillwayError("target_fault"), 5, 20);
  expect([20, 109, 110, 5_000].map((nowMs) => breaker.health(nowMs))).toEqual([
    { kind: "paused", untilMs: 110, isShared: false },
    { kind: "paused", untilMs: 110, isShared: false },
    { kind: "probing", sinceMs: 110, isShared: false },
    { kind: "probing", sinceMs: 110, isShared: false },
  ]);
  expect(breaker.isFailing).toBe(true);
  breaker.succeeded();
  expect([breaker.isFailing, breaker.health(20)]).toEqual([false, { kind: "healthy" }]);
});

it("knows what would meet every function, and what is one's own", () => {
  const isShared = (code: ErrorCode): boolean => {
    const breaker = new CircuitBreaker(whole);
    breaker.failed(new SpillwayError(code), 0, 0);
    const health = breaker.health(0);
    return health.kind === "paused" && health.isShared;
  };
  const codes = ["spend_cap_reached", "target_throttled", "target_unreachable", "target_broken"] as const;
  expect(codes.map(isShared)).toEqual([true, true, false, false]);
});

it("waits out a refusal, whatever succeeds meanwhile, and takes it for no failure", () => {
  const breaker = new CircuitBreaker(whole);
  const capped = new SpillwayError("spend_cap_reached", "spent", { retryAfterMs: 70 });
  breaker.refused(capped, 30);
  breaker.succeeded();
  expect(breaker.isFailing).toBe(false);
  expect(breaker.health(99)).toEqual({ kind: "paused", untilMs: 100, isShared: true });
  expect(breaker.health(100)).toEqual({ kind: "healthy" });
  // It says how long it still lasts.
  const left = new SpillwayError("spend_cap_reached", "spent", { retryAfterMs: 1 });
  expect([breaker.refusal(99), breaker.refusal(100)]).toEqual([left, undefined]);
  expect([breaker.pauseReason(99), breaker.pauseReason(100)]).toEqual([left, undefined]);
});

it("pauses for 1 ms after a refusal that says no time, and for the longest of several", () => {
  const breaker = new CircuitBreaker(whole);
  breaker.refused(new SpillwayError("calls_open"), 30);
  expect(breaker.health(30.5)).toEqual({ kind: "paused", untilMs: 31, isShared: false });
  breaker.refused(new SpillwayError("spend_cap_reached", "spent", { retryAfterMs: 70 }), 40);
  breaker.refused(new SpillwayError("calls_open", "open", { retryAfterMs: 5 }), 41);
  expect(breaker.health(50)).toMatchObject({ kind: "paused", untilMs: 110 });
});

it("gives a failure as the reason of a pause only while it lasts, and a refusal before a failure", () => {
  const breaker = new CircuitBreaker(whole);
  const broken = new SpillwayError("target_broken");
  breaker.failed(broken, 0, 0);
  expect([breaker.pauseReason(99), breaker.refusal(99), breaker.pauseReason(100)]).toEqual([
    broken,
    undefined,
    undefined,
  ]);
  const capped = new SpillwayError("spend_cap_reached", "spent", { retryAfterMs: 20 });
  breaker.refused(capped, 10);
  const left = new SpillwayError("spend_cap_reached", "spent", { retryAfterMs: 10 });
  expect([breaker.pauseReason(20), breaker.pauseReason(40)]).toEqual([left, broken]);
});
