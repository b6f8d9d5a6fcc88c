import { expect, it } from "vitest";
import { WarmInstances } from "./warm-instances.ts";

it("has no idle instance before the first answer, nor while every instance has a call", () => {
  const instances = new WarmInstances(1_000);
  expect(instances.isIdle(0)).toBe(false);
  instances.hold(0);
  expect([instances.isIdle(50), instances.alive(50)]).toEqual([false, 1]);
  instances.release(100);
  expect([instances.isIdle(100), instances.alive(100)]).toEqual([true, 1]);
  instances.hold(150);
  expect([instances.isIdle(160), instances.alive(160)]).toEqual([false, 1]);
});

it("keeps an instance as long as it has not been idle for too long", () => {
  const instances = new WarmInstances(1_000);
  instances.hold(0);
  instances.release(100);
  expect([1_099, 1_100].map((nowMs) => instances.isIdle(nowMs))).toEqual([true, false]);
  expect([1_099, 1_100].map((nowMs) => instances.alive(nowMs))).toEqual([1, 0]);
});

it("takes the instance that was used last, so that the others grow old", () => {
  const instances = new WarmInstances(1_000);
  instances.hold(0);
  instances.hold(0);
  instances.release(100);
  instances.release(600);
  instances.hold(700);
  // The one of 100 is left.
  expect([1_099, 1_100].map((nowMs) => instances.isIdle(nowMs))).toEqual([true, false]);
  instances.release(1_200);
  // That one is gone by now: one call finds an instance, a second at once does not.
  instances.hold(1_300);
  expect([instances.isIdle(1_300), instances.alive(1_300)]).toEqual([false, 1]);
});

it("never counts on an instance again once it was gone", () => {
  const instances = new WarmInstances(1_000);
  instances.hold(0);
  instances.release(100);
  instances.hold(5_000);
  expect(instances.isIdle(5_001)).toBe(false);
});

it("has no idle instance on a platform that keeps none, and none of a call that failed", () => {
  const none = new WarmInstances(0);
  none.hold(0);
  none.release(100);
  expect(none.isIdle(100)).toBe(false);
  const failed = new WarmInstances(1_000);
  failed.hold(0);
  failed.drop();
  expect([failed.isIdle(10), failed.alive(10)]).toEqual([false, 0]);
});

it("tells how long the instance that is used next has been idle", () => {
  const instances = new WarmInstances(1_000);
  expect(instances.idleForMs(0)).toBe(0);
  instances.hold(0);
  instances.hold(0);
  instances.release(100);
  instances.release(600);
  expect([instances.idleForMs(700), instances.idleForMs(1_600)]).toEqual([100, 0]);
  // Of two calls at once the second uses the other one, as long as it is there.
  expect([1, 2, 3].map((calls) => instances.idleForMs(700, calls))).toEqual([100, 600, 600]);
  expect(instances.idleForMs(1_200, 2)).toBe(600);
});

it("corrects itself when an instance that seemed used was idle, or one that seemed new was not", () => {
  const instances = new WarmInstances(1_000);
  instances.hold(0);
  instances.release(600);
  instances.found(300);
  expect(instances.alive(700)).toBe(2);
  // The one that was used last is used first, and the other one is gone sooner.
  expect(instances.hold(700)).toBe(600);
  expect([instances.isIdle(1_299), instances.isIdle(1_300)]).toEqual([true, false]);
  instances.taken(200);
  expect(instances.alive(700)).toBe(2);
  instances.taken(300);
  expect([instances.alive(700), instances.isIdle(700)]).toEqual([1, false]);
});
