import { expect, it } from "vitest";
import { VirtualClock } from "../replay/virtual-clock.ts";
import { ScriptedTarget } from "../test/scripted-target.ts";
import { SpillwayError } from "./errors.ts";
import { TargetState } from "./target-state.ts";

it("stays left alone when a batch of before comes back that was throttled in part", () => {
  const state = new TargetState(new ScriptedTarget(new VirtualClock(), { name: "f" }), () => 0);
  const batches = [0, 5].map((formedAtMs) => ({ key: "k", rows: 2, formedAtMs }));
  for (const batch of batches) state.sent(batch);
  const [first, second] = batches as [(typeof batches)[0], (typeof batches)[0]];
  state.ended(first, { ok: false, error: new SpillwayError("target_fault") }, 20);
  expect(state.suspendedUntilMs).toBe(120);
  const error = new SpillwayError("target_throttled");
  const partly = { ok: true, answers: [1], serviceMs: undefined, coldStartMs: 0, cost: 0 } as const;
  state.ended(second, { ...partly, unanswered: new Map([[1, error]]) }, 25);
  expect(state.suspendedUntilMs).toBe(120);
});

it("takes half as many calls when it is throttled beside others, and is left alone when it is throttled alone", () => {
  const state = new TargetState(
    new ScriptedTarget(new VirtualClock(), { name: "f", kind: "serverless" }),
    () => 0,
  );
  const batches = [0, 1, 2, 3].map((formedAtMs) => ({ key: "k", rows: 1, formedAtMs }));
  for (const batch of batches) state.sent(batch);
  for (const [index, batch] of batches.entries()) {
    expect(state.suspendedUntilMs).toBe(-Infinity);
    state.ended(batch, { ok: false, error: new SpillwayError("target_throttled") }, 20 + index);
    if (index < 3) expect(state.maxInFlight).toBe(2);
  }
  expect([state.maxInFlight, state.suspendedUntilMs]).toEqual([1, 123]);
});
