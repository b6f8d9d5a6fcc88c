import { describe, expect, it } from "vitest";
import { LinkModel } from "../../../../algorithms/network/link-model.ts";
import { type SizeFacts, tinySize } from "../../../../test/support/tiny-targets.ts";
import { WarmInstances } from "../../../targets/warm-instances.ts";
import { FunctionModel } from "./function-model.ts";

function sizeOf(facts: SizeFacts = {}, options: { readonly sloMs?: number } = {}): FunctionModel {
  const { sloMs = 1_000 } = options;
  const link = new LinkModel({ assumedRttMs: 4, assumedMsPerByte: 1 });
  const profile = tinySize(facts);
  return new FunctionModel({
    target: 1,
    profile,
    link,
    instances: new WarmInstances(profile.idleMs),
    sloMs,
    quantile: 0,
    lateShare: 0.01,
  });
}

describe("a size of function", () => {
  it("takes as many rows at once as are answered within the SLO, and at least one", () => {
    // Two rows take 2 + 4 + 25 ms, three 37.
    const most = [20, 31, 36.9, 37, 1_000].map((sloMs) => sizeOf({}, { sloMs }).maxRows);
    expect(most).toEqual([1, 2, 2, 3, 4]);
  });

  it("counts more rows than it takes as its largest call", () => {
    const size = sizeOf();
    expect([4, 5, 100].map((rows) => size.latencyMs(rows))).toEqual([43, 43, 43]);
    expect([4, 5, 100].map((rows) => size.uploadWork(rows))).toEqual([4, 4, 4]);
    expect(size.costOf(5)).toBeCloseTo(size.costOf(4), 9);
  });

  it("prices a call by the mean over its service times, not by the mean service time", () => {
    // From 20 to 40 ms: half of the calls are rounded up to 40.
    const size = sizeOf({ spread: 1, costOf: (ms) => Math.ceil(ms / 30) });
    expect(size.costOf(1)).toBeCloseTo(1.5, 9);
  });

  it("reserves more after calls with late answers, and only after those", () => {
    const size = sizeOf();
    const reserved = (): number => size.latencyMs(1);
    for (let nth = 0; nth < 50; nth++) size.answered(1, 20, false, nth);
    expect(reserved()).toBeCloseTo(25, 9);
    size.answered(1, 20, true, 60);
    // One fiftieth of the SLO of 1 s; each call takes off what 1 % late ones would add.
    expect(reserved()).toBeCloseTo(25 + 20 * 0.99, 9);
    expect(size.option().latencyMs[1]).toBeCloseTo(reserved(), 9);
    size.answered(1, 20, false, 70);
    expect(reserved()).toBeCloseTo(25 + 20 * 0.98, 9);
    for (let nth = 0; nth < 200; nth++) size.answered(1, 20, true, 100 + nth);
    expect(reserved()).toBeCloseTo(25 + 250, 9);
  });

  it("reserves a cold start until a call was answered, and again once instances are gone", () => {
    const size = sizeOf({ coldStartMs: 300, idleMs: 10_000 });
    expect(size.startMs(0)).toBe(300);
    size.called(1, 1, 0, 0);
    size.ended(1, "in-time", 325);
    expect([400, 10_319, 10_320].map((nowMs) => size.startMs(nowMs))).toEqual([0, 0, 300]);
  });

  it("reserves a cold start however short the SLO is: cold is not warm", () => {
    expect(sizeOf({ coldStartMs: 300 }, { sloMs: 100 }).startMs(0)).toBe(300);
  });

  it("hangs while its oldest call takes much longer than a call that starts an instance", () => {
    const size = sizeOf({ coldStartMs: 300 });
    size.called(1, 1, 0, 0);
    size.called(2, 1, 1_000, 1_000);
    // One row takes 25 ms, so the SLO of 1 s allows for a cold start and two of them.
    expect([350, 351].map((nowMs) => size.hangs(nowMs))).toEqual([false, true]);
    size.ended(1, "in-time", 1_050);
    expect(size.hangs(1_100)).toBe(false);
    size.ended(2, "failed", undefined);
    expect(size.hangs(5_000)).toBe(false);
  });

  it("does not hang while calls that were sent after its oldest are answered", () => {
    const size = sizeOf({ coldStartMs: 300 });
    for (const id of [1, 2, 3]) size.called(id, 1, id, id);
    size.ended(1, "in-time", 326);
    expect(size.hangs(400)).toBe(true);
    size.ended(3, "failed", undefined);
    expect(size.hangs(400)).toBe(true);
    size.called(4, 1, 401, 401);
    size.ended(4, "in-time", 426);
    expect(size.hangs(427)).toBe(false);
  });

  it("knows the call in which a row costs least, where the price is rounded up", () => {
    // One to eight rows take 20, 25, … 55 ms; a call costs 1 for each 40 ms that it has begun.
    const rounded = { maxBatchRows: 8, costOf: (ms: number) => Math.ceil(ms / 40) };
    const size = sizeOf(rounded);
    expect([size.bestRows, size.bestRowCost]).toEqual([5, expect.closeTo(1 / 5, 9)]);
    // Six rows take 10 ms of upload and way, and 45 of service.
    expect(sizeOf(rounded, { sloMs: 40 }).bestRows).toBe(3);
    expect(sizeOf({ maxBatchRows: 8 }).bestRows).toBe(8);
  });

  it("becomes slower in its latencies, its prices and the rows it takes, and forgets that when not used", () => {
    const size = sizeOf({}, { sloMs: 60 });
    let nowMs = 0;
    const answer = (calls: number, serviceMs: number): boolean[] =>
      Array.from({ length: calls }, () => size.answered(1, serviceMs, false, (nowMs += 100)));
    expect(answer(50, 20)).not.toContain(true);
    expect(size.maxRows).toBe(4);
    expect(answer(9, 40)).toContain(true);
    expect(size.latencyMs(1)).toBeCloseTo(45, 1);
    expect(size.costOf(4)).toBeCloseTo(70, 1);
    // Two rows would take 2 + 4 + 50 ms, three 67.
    expect(size.maxRows).toBe(2);
    size.forget(nowMs + 299_999);
    expect(size.maxRows).toBe(2);
    size.forget(nowMs + 300_000);
    expect(size.latencyMs(1)).toBeCloseTo(25, 1);
    expect(size.maxRows).toBe(4);
  });

  it("needs less for a start and a call together than for both, as far as each usually takes less than is reserved", () => {
    const spread = { ...tinySize({ coldStartMs: 100, spread: 1 }), usualColdStartMs: 60 };
    const own = { quantile: 1, sloMs: 1_000, lateShare: 0.01, target: 1 };
    const link = new LinkModel({ assumedRttMs: 4, assumedMsPerByte: 1 });
    const size = new FunctionModel({ ...own, link, profile: spread, instances: new WarmInstances(60_000) });
    // A row takes 20 to 40 ms, 30 as a rule: 40 and 10 ms of reserve come to 41.2.
    expect(size.latencyMs(1) - size.usualMs(1)).toBeCloseTo(10, 0);
    const ownMs = size.latencyMs(1) - size.usualMs(1);
    expect(size.sharedMs(1, 100)).toBeCloseTo(40 + ownMs - Math.sqrt(40 ** 2 + ownMs ** 2), 9);
    // Nothing starts, or how long it usually takes is not known.
    expect(size.sharedMs(1, 0)).toBe(0);
    expect(sizeOf({ coldStartMs: 100 }).sharedMs(1, 100)).toBe(0);
  });
});
