import { expect, it } from "vitest";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { ScriptedTarget } from "../../test/support/scripted-target.ts";
import { SpillwayError } from "../../base/errors.ts";
import { RetryBudget } from "./retry-budget.ts";
import { TargetState } from "./target-state.ts";
import { readyAtMs } from "./target-view.ts";

it("stays paused when a batch of before comes back that was throttled in part", () => {
  const state = new TargetState(
    new ScriptedTarget(new VirtualClock(), { name: "f" }),
    () => 0,
    new RetryBudget(),
  );
  const batches = [0, 5].map((formedAtMs) => ({ key: "k", rows: 2, formedAtMs, isRetry: false }));
  for (const batch of batches) state.sent(batch);
  const [first, second] = batches as [(typeof batches)[0], (typeof batches)[0]];
  const error = new SpillwayError("target_throttled");
  state.ended(first, { ok: false, error }, 20);
  expect(readyAtMs(state.health(30))).toBe(120);
  const partly = { ok: true, answers: [1], serviceMs: undefined, coldStartMs: 0, cost: 0 } as const;
  state.ended(second, { ...partly, unanswered: new Map([[1, error]]) }, 25);
  expect(readyAtMs(state.health(30))).toBe(120);
});
