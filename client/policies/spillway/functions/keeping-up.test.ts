import { describe, expect, it } from "vitest";
import { lineOf, menuOf, tinySize } from "../../../../test/support/tiny-targets.ts";
import type { FunctionModel } from "./function-model.ts";
import { keepingUp, type Places } from "./keeping-up.ts";

/** A call of one row takes 25 ms, and each further row 6 ms more, 1 ms of it to upload. */
const size = menuOf([tinySize()]).sizes[0] as FunctionModel;
const heldMs = (rows: number): number => size.latencyMs(rows);
const busy: Places = { all: 2, free: 1, startMs: 0, heldMs, overflowPerMs: 0.1 };

/** The call at 0, of a line of which the first request has time for one row alone and the others for four. */
function kept(places: Partial<Places> = {}, deadlinesAtMs: readonly number[] = [26, 60, 60, 60, 60, 60]) {
  const line = lineOf(deadlinesAtMs);
  const call = { size, first: 0, count: 1, rows: 1, leaveAtMs: 1 };
  const context = { view: { line }, callAtMs: 0 } as Parameters<typeof keepingUp>[0];
  return keepingUp(context, { first: 0, count: line.length }, call, { ...busy, ...places });
}

describe("a call where places are few", () => {
  it("passes over the request that has time for itself alone, when such calls would not keep up", () => {
    // Two places serve 2 rows in 25 ms by calls of one, but 4 rows in 31 ms by calls of two.
    expect(kept()).toMatchObject({ first: 1, count: 2, rows: 2, leaveAtMs: 29 });
  });

  it("is no larger than it takes to keep up, and as large as it can be where none does", () => {
    expect([0.05, 0.1, 0.15, 5].map((overflowPerMs) => kept({ overflowPerMs }).count)).toEqual([1, 2, 3, 4]);
  });

  it("stays as it is while the free places take all that waits, or calls like it keep up", () => {
    expect(kept({ free: 9 })).toMatchObject({ first: 0, count: 1 });
    expect(kept({ all: 10 })).toMatchObject({ first: 0, count: 1 });
  });

  it("counts the time for which a call takes its place, without its way where instances are the places", () => {
    // Two instances that work 10 ms on a call of one row serve 2 rows in 10 ms.
    expect(kept({ heldMs: () => 10, overflowPerMs: 0.2 })).toMatchObject({ first: 0, count: 1 });
    expect(kept({ heldMs: () => 10, overflowPerMs: 0.3 })).toMatchObject({ first: 1, count: 2 });
  });

  it("stays as it is where nobody has time for a larger one", () => {
    expect(kept({}, [26, 27, 28, 29])).toMatchObject({ first: 0, count: 1 });
  });

  it("counts the start of an instance", () => {
    expect(kept({ startMs: 30, overflowPerMs: 5 })).toMatchObject({ first: 0, count: 1 });
    expect(kept({ startMs: 20, overflowPerMs: 5 })).toMatchObject({ first: 1, count: 3, leaveAtMs: 3 });
  });
});
