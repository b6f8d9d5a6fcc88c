import { expect, it } from "vitest";
import { ended, lineOf, menuOf, scheduleOf, tinyEdge, tinySize } from "../../../test/support/tiny-targets.ts";
import type { QueueView } from "../policy.ts";
import type { FunctionModel } from "./functions/function-model.ts";
import { firstUnsure, Trial, trialResult } from "./trial.ts";

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

it("leaves to a function what an edge that is late too often would answer less likely", () => {
  // The edge usually takes 15 ms for one row; the size 25, once its instance is there, and a cold start 300.
  const edge = scheduleOf(tinyEdge({ deviationMs: 30 }), 2).model;
  const menu = menuOf([tinySize({ coldStartMs: 300 })]);
  const size = menu.sizes[0] as FunctionModel;
  const unsure = (isTight: boolean, deadlineAtMs: number, nowMs = 0): number | undefined =>
    firstUnsure({ nowMs, line: lineOf([deadlineAtMs]) } as QueueView, edge, menu, isTight);
  expect([unsure(false, 20), unsure(true, 20), unsure(false, 14)]).toEqual([0, 0, undefined]);
  size.called(1, 1, 0, 0);
  // At 325 an instance is idle, and answers at 350. The edge is likely in time with one that has 54 ms, if with any.
  expect([unsure(false, 351, 310), unsure(true, 351, 310)]).toEqual([0, undefined]);
  expect([unsure(true, 349, 310), unsure(true, 370, 310)]).toEqual([0, 0]);
  // Now the instance is there, and surely in time.
  expect([unsure(false, 351, 325), unsure(true, 349, 325)]).toEqual([undefined, 0]);
});
