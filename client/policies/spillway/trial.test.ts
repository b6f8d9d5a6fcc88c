import { expect, it } from "vitest";
import { Trial } from "./trial.ts";

it("is due at once, then not while a batch is under way, unless that takes too long", () => {
  const trial = new Trial(2_000);
  expect([trial.dueAtMs, trial.isIdle]).toEqual([-Infinity, true]);
  trial.sent(100);
  expect([trial.dueAtMs, trial.isIdle]).toEqual([2_100, false]);
});

it("is due at once when the last batch was in time, and after a while when it was not", () => {
  const trial = new Trial(2_000);
  trial.sent(100);
  trial.ended(false);
  expect(trial.dueAtMs).toBe(2_100);
  trial.sent(2_100);
  trial.ended(true);
  expect(trial.dueAtMs).toBe(-Infinity);
});
