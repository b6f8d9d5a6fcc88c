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

  it("are gone with calls that fail", () => {
    size.called(0, 1, 0, 0);
    size.ended(0, "failed", undefined);
    expect(size.isWarm(400)).toBe(false);
  });
});
