import { describe, expect, it } from "vitest";
import { planMemory, type Resident } from "./memory-plan.ts";

const rules = { budgetBytes: 100, leastUpMs: 300 };
const resident = (name: string, bytes: number, more: Partial<Resident> = {}): Resident => ({
  name,
  bytes,
  state: "up",
  isPinned: false,
  openRequests: 0,
  usedAtMs: 0,
  upAtMs: 0,
  ...more,
});

describe("a model that is to be loaded", () => {
  it("is loaded where there is room", () => {
    expect(planMemory(50, [resident("a", 50)], rules, 1_000)).toEqual({ kind: "load" });
  });

  it("takes the place of the least recently used of those that nobody asks, and of no more than it needs", () => {
    const residents = [
      resident("newer", 40, { usedAtMs: 9 }),
      resident("older", 30, { usedAtMs: 5 }),
      resident("asked", 30, { openRequests: 1, usedAtMs: 1 }),
    ];
    expect(planMemory(30, residents, rules, 1_000)).toEqual({
      kind: "wait",
      leave: ["older"],
      atMs: Infinity,
    });
    expect(planMemory(50, residents, rules, 1_000)).toMatchObject({ leave: ["older", "newer"] });
  });

  it("takes the place of those that are asked when it must, but not before they have served for a while", () => {
    const residents = [
      resident("long", 50, { openRequests: 2, upAtMs: 100 }),
      resident("short", 50, { openRequests: 2, upAtMs: 900 }),
    ];
    expect(planMemory(50, residents, rules, 1_000)).toMatchObject({ leave: ["long"] });
    expect(planMemory(50, residents, rules, 350)).toEqual({ kind: "wait", leave: [], atMs: 400 });
  });

  it("waits for those that are leaving, and never stops one that loads", () => {
    const residents = [
      resident("leaving", 50, { state: "leaving" }),
      resident("loads", 50, { state: "loading" }),
    ];
    expect(planMemory(50, residents, rules, 1_000)).toEqual({ kind: "wait", leave: [], atMs: Infinity });
  });

  it("leaves those alone that are pinned, and says when it fits beside them never", () => {
    const residents = [resident("pinned", 60, { isPinned: true }), resident("other", 40, { usedAtMs: 9 })];
    expect(planMemory(40, residents, rules, 1_000)).toMatchObject({ leave: ["other"] });
    expect(planMemory(41, residents, rules, 1_000)).toEqual({ kind: "never", roomBytes: 40 });
  });
});
