import { describe, expect, it } from "vitest";
import { ended, menuOf, send, tinyEdge, tinySize } from "../../../../test/support/tiny-targets.ts";
import { learnedTargets } from "../../learned-targets.ts";
import type { FunctionMenu } from "./function-menu.ts";
import type { FunctionModel } from "./function-model.ts";
import { sizeToStart } from "./likeliest-size.ts";

/** Sends calls of a row one after another to a size of the menu, each served in `serviceMs` after `uploadMs`. */
function call(
  menu: FunctionMenu,
  index: number,
  facts: { readonly times?: number; readonly serviceMs?: number; readonly uploadMs?: number } = {},
): boolean {
  const { times: calls = 1, serviceMs = 20, uploadMs = 1 } = facts;
  const size = menu.sizes[index] as FunctionModel;
  let hasDrifted = false;
  for (let nth = 0; nth < calls; nth++) {
    const formedAtMs = Math.max(0, menu.freeAtMs) + 1_000;
    const batch = send(menu, 1, formedAtMs, size.target);
    const endedAtMs = formedAtMs + uploadMs + 4 + serviceMs;
    const times = { serviceMs, serverQueuedMs: 0, coldStartMs: 0 };
    hasDrifted = menu.ended(ended(batch, endedAtMs, { times })) || hasDrifted;
  }
  return hasDrifted;
}

describe("the menu of function sizes", () => {
  it("holds the targets that are functions, with the latency that is reserved", () => {
    const profiles = [
      tinySize({ name: "a", spread: 0.1 }),
      tinySize({ name: "b", firstMs: 10, spread: 0.1 }),
    ];
    const menu = menuOf(profiles, { quantile: 0.5 });
    expect(menu.sizes.map(({ target, profile }) => [target, profile.name])).toEqual([
      [1, "a"],
      [2, "b"],
    ]);
    expect(menu.sizes[0]?.latencyMs(2)).toBeCloseTo(2 + 4 + 25 * 1.05, 2);
    expect(menu.shortestMs(1)).toBeCloseTo(1 + 4 + 10.5, 2);
    expect(menu.rowUploadMs).toBe(1);
    expect(menu.fastest()?.profile.name).toBe("b");
  });

  it("is empty where there are no functions", () => {
    const none = menuOf([]);
    expect([none.fastest(), none.ready([], 0), none.options]).toEqual([undefined, undefined, []]);
    expect([none.shortestMs(1), none.freeAtMs, none.rowUploadMs]).toEqual([Infinity, -Infinity, 0]);
  });

  it("offers each size to the planner with a warm instance, and with a cold start", () => {
    const menu = menuOf([tinySize({ name: "a", coldStartMs: 500 }), tinySize({ name: "b" })]);
    expect(menu.options.map(({ name, latencyMs }) => [name, latencyMs[1]])).toEqual([
      ["a", 25],
      ["b", 25],
      ["a", 525],
      ["b", 25],
    ]);
  });

  it("takes the first option that is so now: a warm size as warm, and a cold one as cold", () => {
    const menu = menuOf([tinySize({ name: "a", coldStartMs: 70 }), tinySize({ name: "b", coldStartMs: 60 })]);
    const ready = (preference: readonly number[], nowMs: number): string | undefined =>
      menu.ready(preference, nowMs)?.profile.name;
    expect([ready([0, 1, 3, 2], 0), ready([0, 1, 2, 3], 0)]).toEqual(["b", "a"]);
    call(menu, 0);
    expect([ready([1, 0, 3, 2], 2_000), ready([3, 0], 2_000)]).toEqual(["a", "b"]);
    // Nothing is as it should be: the first of them, until that changes.
    expect(ready([1], 2_000)).toBe("b");
    expect(ready([], 0)).toBeUndefined();
  });

  it("counts a size without a warm instance with its cold start", () => {
    const menu = menuOf([
      tinySize({ name: "cold", coldStartMs: 500 }),
      tinySize({ name: "slow", firstMs: 80, coldStartMs: 100 }),
    ]);
    expect([menu.shortestMs(1), menu.soonestMs(1, 0)]).toEqual([25, 185]);
    expect([184, 185].map((withinMs) => menu.canServe(1, withinMs, 0))).toEqual([false, true]);
    call(menu, 0);
    expect(menu.soonestMs(1, 2_000)).toBe(25);
  });

  it("starts no instance where as many are alive as the platform allows, whichever their size", () => {
    const menu = menuOf([tinySize({ name: "a", coldStartMs: 50 }), tinySize({ name: "b", coldStartMs: 50 })]);
    const startMs = (): number[] => menu.sizes.map((size) => menu.startMs(size, 0));
    for (let nth = 0; nth < 9; nth++) send(menu, 1, 0, 1);
    expect(startMs()).toEqual([50, 50]);
    send(menu, 1, 0, 2);
    expect(startMs()).toEqual([Infinity, Infinity]);
    expect(menu.sizes.map((size) => menu.usualStartMs(size, 0))).toEqual([Infinity, Infinity]);
  });

  it("sends the calls of all sizes over one uplink", () => {
    const menu = menuOf([tinySize({ name: "a" }), tinySize({ name: "b" })]);
    send(menu, 3, 100, 1);
    send(menu, 2, 101, 2);
    expect(menu.freeAtMs).toBeCloseTo(105, 9);
  });

  it("shares the uplink, and which instances are warm, with the menus of other models", () => {
    const profiles = [tinySize({ name: "a", coldStartMs: 300 })];
    const { functions } = learnedTargets({ targets: [tinyEdge(), ...profiles], sloMs: 1_000 });
    const [menu, ofOther] = [menuOf(profiles, { functions }), menuOf(profiles, { functions })];
    expect(menu.sizes[0]?.startMs(0)).toBe(300);
    const batch = send(ofOther, 3, 100, 1);
    expect(menu.freeAtMs).toBeCloseTo(103, 9);
    const times = { serviceMs: 30, serverQueuedMs: 0, coldStartMs: 300 };
    ofOther.ended(ended(batch, 437, { times }));
    expect(menu.sizes[0]?.startMs(500)).toBe(0);
    // The instance that is warm is taken by the first call of either.
    send(menu, 1, 500, 1);
    expect(ofOther.sizes[0]?.startMs(501)).toBe(300);
  });

  it("learns that the link has become slower, for every size", () => {
    const menu = menuOf([tinySize({ name: "a" }), tinySize({ name: "b" })]);
    expect(call(menu, 0, { times: 100 })).toBe(false);
    expect(menu.shortestMs(1)).toBeCloseTo(25, 3);
    expect(call(menu, 0, { times: 60, uploadMs: 5 })).toBe(true);
    expect(menu.rowUploadMs).toBeCloseTo(5, 1);
    expect(menu.sizes[1]?.latencyMs(4)).toBeCloseTo(4 * 5 + 4 + 35, 0);
  });

  it("learns that one size has become slower, and nothing of the others", () => {
    const menu = menuOf([tinySize({ name: "a" }), tinySize({ name: "b" })]);
    expect(call(menu, 0, { times: 100 })).toBe(false);
    expect(call(menu, 0, { times: 10, serviceMs: 40 })).toBe(true);
    expect(menu.sizes.map((size) => Math.round(size.latencyMs(1)))).toEqual([45, 25]);
  });

  it("learns nothing from calls that failed, and one that it did not send", () => {
    const menu = menuOf([tinySize()]);
    for (let nth = 0; nth < 100; nth++) {
      const batch = send(menu, 1, 10_000 * nth, 1);
      expect(menu.ended(ended(batch, batch.formedAtMs + 5_000, { times: undefined }))).toBe(false);
    }
    const times = { serviceMs: 900, serverQueuedMs: 0, coldStartMs: 0 };
    const unknown = { id: -1, target: 1, key: "", rows: 1, formedAtMs: 7 };
    expect(menu.ended(ended(unknown, 950, { times }))).toBe(false);
    expect(menu.shortestMs(1)).toBeCloseTo(25, 9);
    expect(menu.rowUploadMs).toBeCloseTo(1, 9);
  });

  it("learns nothing of the link or the size from calls whose cold start has no known length", () => {
    const menu = menuOf([tinySize()]);
    const times = { serviceMs: 900, serverQueuedMs: 0, coldStartMs: undefined };
    for (let nth = 0; nth < 100; nth++) {
      const batch = send(menu, 1, 10_000 * nth, 1);
      expect(menu.ended(ended(batch, batch.formedAtMs + 5_000, { times }))).toBe(false);
    }
    expect(menu.shortestMs(1)).toBeCloseTo(25, 9);
    expect(menu.rowUploadMs).toBeCloseTo(1, 9);
  });
});

describe("the size to start", () => {
  const steady = tinySize({ name: "steady", firstMs: 60, costOf: (ms) => 5 * ms });
  const fickle = tinySize({ name: "fickle", firstMs: 40, spread: 2 });

  it("is the planned one where that is in time", () => {
    const menu = menuOf([fickle, steady], { quantile: 0.98 });
    const [planned] = menu.sizes as [FunctionModel];
    expect(sizeToStart(menu.sizes, planned, { rows: 1, sloMs: 200 }, () => 0)?.profile.name).toBe("fickle");
  });

  it("is another one where the planned one may not start", () => {
    const menu = menuOf([fickle, steady], { quantile: 0.98 });
    const [planned] = menu.sizes as [FunctionModel];
    const startMs = (size: FunctionModel): number => (size === planned ? Infinity : 500);
    expect(sizeToStart(menu.sizes, planned, { rows: 1, sloMs: 200 }, startMs)?.profile.name).toBe("steady");
  });

  it("is another one that surely is, or else the one that most likely is", () => {
    const menu = menuOf([fickle, steady], { quantile: 0.98 });
    const [planned] = menu.sizes as [FunctionModel];
    // The fickle size takes 45 to 125 ms, the steady one 65.
    expect(sizeToStart(menu.sizes, planned, { rows: 1, sloMs: 90 }, () => 0)?.profile.name).toBe("steady");
    expect(sizeToStart(menu.sizes, planned, { rows: 1, sloMs: 64 }, () => 0)).toBeUndefined();
    const less = tinySize({ name: "less", firstMs: 40, spread: 1, costOf: (ms) => 5 * ms });
    const both = menuOf([fickle, less], { quantile: 0.98 });
    const [first] = both.sizes as [FunctionModel];
    expect(sizeToStart(both.sizes, first, { rows: 1, sloMs: 82 }, () => 0)?.profile.name).toBe("less");
  });
});
