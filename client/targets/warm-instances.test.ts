import { expect, it } from "vitest";
import { WarmInstances } from "./warm-instances.ts";

it("is cold before the first answer, and while every warm instance has a call", () => {
  const instances = new WarmInstances(1_000);
  expect(instances.isWarm(0)).toBe(false);
  instances.called(0);
  expect(instances.isWarm(50)).toBe(false);
  instances.answered(100);
  expect(instances.isWarm(100)).toBe(true);
  instances.called(150);
  expect(instances.isWarm(160)).toBe(false);
});

it("is warm as long as the one used last has not been idle for too long", () => {
  const instances = new WarmInstances(1_000);
  instances.called(0);
  instances.answered(100);
  expect([1_099, 1_100].map((nowMs) => instances.isWarm(nowMs))).toEqual([true, false]);
});

it("takes the instance that was used last, so that the others grow old", () => {
  const instances = new WarmInstances(1_000);
  instances.called(0);
  instances.called(0);
  instances.answered(100);
  instances.answered(600);
  instances.called(700);
  // The one of 100 is left.
  expect([1_099, 1_100].map((nowMs) => instances.isWarm(nowMs))).toEqual([true, false]);
  instances.answered(1_200);
  // That one is gone by now: one call finds an instance, a second at once does not.
  instances.called(1_300);
  expect(instances.isWarm(1_300)).toBe(false);
});

it("never counts on an instance again once it was gone", () => {
  const instances = new WarmInstances(1_000);
  instances.called(0);
  instances.answered(100);
  instances.called(5_000);
  expect(instances.isWarm(5_001)).toBe(false);
});

it("is always cold on a platform that keeps no instance", () => {
  const instances = new WarmInstances(0);
  instances.called(0);
  instances.answered(100);
  expect(instances.isWarm(100)).toBe(false);
});
