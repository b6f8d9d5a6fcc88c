import { expect, it } from "vitest";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { ScriptedTarget } from "../../test/support/scripted-target.ts";
import { RetryBudget } from "../targets/retry-budget.ts";
import { TargetState } from "../targets/target-state.ts";

it("predicts from warm round trips: without what a cold start took, and without calls of which nobody knows that", () => {
  const state = new TargetState(
    new ScriptedTarget(new VirtualClock(), { name: "f" }),
    () => 0.5,
    new RetryBudget(),
  );
  const assumedMs = state.latencyMs("k");
  const answer = (latencyMs: number, coldStartMs: number | undefined): void => {
    const batch = { key: "k", rows: 1, formedAtMs: 0, isRetry: false };
    state.sent(batch);
    state.ended(batch, { ok: true, answers: [1], serviceMs: 5, coldStartMs, cost: 0 }, latencyMs);
  };
  answer(5_000, undefined);
  expect(state.latencyMs("k")).toBe(assumedMs);
  for (let nth = 0; nth < 10; nth++) answer(730, 700);
  answer(5_000, undefined);
  expect(state.latencyMs("k")).toBe(30);
});
