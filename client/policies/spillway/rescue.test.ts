/** How long an edge keeps requests that could still be served elsewhere. */
import { describe, expect, it } from "vitest";
import { menuOf, tinySize } from "../../../test/support/tiny-targets.ts";
import { giveUp, giveUpProbe } from "./rescue.ts";

const menu = menuOf([tinySize()]);
/** What the function reserves for a call of one row. */
const callMs = menu.shortestMs(1);
const none = menuOf([]);
const nowhere = { menu: none, edgeMs: (): number => Infinity };
const functions = { menu, edgeMs: (): number => Infinity };

describe("a batch at an edge", () => {
  it("is given up at the last moment for a function, and not before the edge hangs", () => {
    const request = { rows: 1, deadlineAtMs: 20 * callMs };
    expect(giveUp(functions, request, 0, callMs)).toEqual({ giveUpAtMs: 18 * callMs });
    expect(giveUp(functions, request, 0, 19 * callMs)).toBeUndefined();
  });

  it("is given up for another edge, too, and for nobody when there is nobody", () => {
    const request = { rows: 1, deadlineAtMs: 1_000 };
    expect(giveUp({ menu: none, edgeMs: () => 100 }, request, 0, 200)).toEqual({ giveUpAtMs: 800 });
    expect(giveUp(nowhere, request, 0, 200)).toBeUndefined();
  });
});

describe("a request that probes an edge", () => {
  const fresh = { rows: 1, deadlineAtMs: 1_000, attempts: 0 };
  const probe = { expectedMs: 20, sloMs: 1_000, failures: 1 };

  it("is given up after four times what the edge usually takes", () => {
    expect(giveUpProbe({ menu: none, edgeMs: () => 100 }, fresh, 0, probe)).toBe(80);
  });

  it("gets all the time to spare at every fourth failure, since the edge may have become slow", () => {
    const spareMs = giveUpProbe({ menu: none, edgeMs: () => 100 }, fresh, 0, { ...probe, failures: 3 });
    expect(spareMs).toBe(1_000 - 125);
  });

  it("may take all of its time where nobody else can serve it", () => {
    expect(giveUpProbe(nowhere, fresh, 0, probe)).toBe(Infinity);
  });

  it("is none when it has failed before, or when a probe would leave it no time", () => {
    const other = { menu: none, edgeMs: (): number => 100 };
    expect(giveUpProbe(other, { ...fresh, attempts: 1 }, 0, probe)).toBeUndefined();
    expect(giveUpProbe(other, { ...fresh, deadlineAtMs: 130 }, 0, probe)).toBeUndefined();
  });
});
