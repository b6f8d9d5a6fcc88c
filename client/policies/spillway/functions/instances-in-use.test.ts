import { beforeEach, describe, expect, it } from "vitest";
import { menuOf, tinySize } from "../../../../test/support/tiny-targets.ts";
import type { FunctionModel } from "./function-model.ts";

/** One row takes 1 ms to upload, 2 ms each way and 20 ms of service; a cold start 300. */
let size: FunctionModel;

beforeEach(() => {
  size = menuOf([tinySize({ coldStartMs: 300 })]).sizes[0] as FunctionModel;
});

/** The first call starts an instance, which is idle from 325 on. */
function started(): void {
  size.called(0, 1, 0, 0);
  size.ended(0, "in-time", 325);
}

describe("the instances that calls use", () => {
  it("are expected to be idle when their calls are back, with the cold start of those that start one", () => {
    size.called(0, 1, 0, 0);
    expect(size.idleAtMs(0)).toBe(325);
    size.called(1, 1, 10, 50);
    expect([size.idleAtMs(0), size.idleAtMs(330)]).toEqual([325, 375]);
    expect(size.idleAtMs(400)).toBe(Infinity);
    expect(size.underWay).toBe(2);
  });

  it("are warm for a call that gets there after they are idle, though their answers are not back", () => {
    started();
    size.called(1, 1, 1_000, 1_000);
    // The instance is idle at 1,023, and an upload that begins at 1,020 gets there at 1,023.
    expect([1_019, 1_020].map((uploadAtMs) => size.isWarm(uploadAtMs))).toEqual([false, true]);
    size.called(2, 1, 1_010, 1_020);
    // That one takes it, so a third call needs another one.
    expect(size.isWarm(1_021)).toBe(false);
    size.ended(1, "in-time", 1_025);
    expect(size.isWarm(1_026)).toBe(false);
    size.ended(2, "in-time", 1_045);
    expect(size.isWarm(1_046)).toBe(true);
  });

  it("are taken by a call that was to start one, and got there just after another one had ended early", () => {
    started();
    size.called(1, 1, 1_000, 1_000);
    size.called(2, 1, 1_010, 1_012);
    // The first was quicker than reserved: its instance was idle at 1,014, and the second call got there at 1,015.
    size.ended(1, "in-time", 1_016);
    expect(size.isWarm(1_017)).toBe(false);
    size.ended(2, "in-time", 1_037);
    expect(size.isWarm(1_038)).toBe(true);
    size.called(3, 1, 1_040, 1_040);
    expect(size.isWarm(1_041)).toBe(false);
  });

  it("are still there when a call that was to take one after another call had to start its own", () => {
    started();
    size.called(1, 1, 1_000, 1_000);
    size.called(2, 1, 1_010, 1_020);
    expect(size.alive(1_020)).toBe(1);
    // The first call took longer than reserved, so the second found no idle instance.
    size.ended(1, "sent-late", 1_100, 0);
    size.ended(2, "sent-late", 1_345, 300);
    expect(size.alive(1_346)).toBe(2);
    size.called(3, 1, 1_350, 1_350);
    expect(size.isWarm(1_351)).toBe(true);
  });

  it("are no more than there are when a call that was to start one found one", () => {
    started();
    size.called(1, 1, 1_000, 1_000);
    size.called(2, 1, 1_001, 1_001);
    expect(size.alive(1_001)).toBe(2);
    size.ended(1, "in-time", 1_003);
    size.ended(2, "in-time", 1_028, 0);
    expect(size.alive(1_029)).toBe(1);
  });

  it("are those that were used last, also where a call was sent before these were idle", () => {
    const { called, ended } = { called: size.called.bind(size), ended: size.ended.bind(size) };
    for (const id of [0, 1]) called(id, 1, 0, 0);
    ended(0, "in-time", 325);
    ended(1, "in-time", 325);
    called(2, 1, 30_000, 30_000);
    // It is sent while the other one is under way, and reaches the platform just after that one's instance was idle.
    called(3, 1, 30_010, 30_015);
    ended(2, "in-time", 30_020);
    ended(3, "in-time", 30_040);
    // So the other instance has been idle from 325 on.
    expect([1, 2].map((calls) => size.idleForMs(50_000, calls))).toEqual([19_960, 49_675]);
  });

  it("must be idle until a call gets there, not only until it is sent", () => {
    const [fleeting] = menuOf([tinySize({ coldStartMs: 300, idleMs: 1_000 })]).sizes as [FunctionModel];
    fleeting.called(0, 1, 0, 0);
    fleeting.ended(0, "in-time", 325);
    // It was idle at 323. An upload that begins at 1,320 gets there at 1,323.
    expect([1_319, 1_320].map((uploadAtMs) => fleeting.isWarm(uploadAtMs))).toEqual([true, false]);
  });

  it("are gone with calls that fail", () => {
    size.called(0, 1, 0, 0);
    size.ended(0, "failed", undefined);
    expect(size.isWarm(400)).toBe(false);
  });
});
