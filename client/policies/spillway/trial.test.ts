import { expect, it } from "vitest";
import { ended } from "../../../test/support/tiny-targets.ts";
import { Trial, trialResult } from "./trial.ts";

it("is due at once, then not while a batch is under way, unless that takes too long", () => {
  const trial = new Trial(2_000);
  expect([trial.dueAtMs(0), trial.isIdle]).toEqual([-Infinity, true]);
  trial.sent(100);
  expect([trial.dueAtMs(100), trial.isIdle]).toEqual([2_100, false]);
});

it("is due at once when the last batch was in time, and after a while when it failed", () => {
  const trial = new Trial(2_000);
  trial.sent(100);
  trial.ended("failed");
  expect(trial.dueAtMs(200)).toBe(2_100);
  trial.sent(2_100);
  trial.ended("in-time");
  expect(trial.dueAtMs(2_200)).toBe(-Infinity);
});

it("is made with a request that has just come when the last one had waited too long to tell anything", () => {
  const trial = new Trial(2_000);
  trial.sent(100);
  trial.ended("sent-late");
  expect([2_000, 2_100].map((nowMs) => trial.dueAtMs(nowMs))).toEqual([Infinity, 2_100]);
});

it("tells nothing when its answer is late only because it was sent late", () => {
  const batch = { id: 1, key: "m []", target: 0, rows: 1, formedAtMs: 100 };
  const results = [ended(batch, 200), ended(batch, 200, { late: 1 }), ended(batch, 260, { late: 1 })];
  expect(results.map((each) => trialResult(each, 150))).toEqual(["in-time", "sent-late", "failed"]);
  expect(trialResult(ended(batch, 110, { times: undefined }), 150)).toBe("failed");
});
