/**
 * A target of functions whose retries stay within a budget. A retry beyond it is refused here without a call. The queue
 * sees the refusal as a result like any other, so a record of it replays.
 */
import { SpillwayError } from "../../base/errors.ts";
import type { RetryBudget } from "../targets/retry-budget.ts";
import type { Target } from "../targets/target.ts";

/** @param budget shared by all functions of a queue, because they fail for the same reasons */
export function guardedTarget<In, Out>(target: Target<In, Out>, budget: RetryBudget): Target<In, Out> {
  const { name, kind, maxInFlight, assumedLatencyMs } = target;
  return {
    name,
    kind,
    maxInFlight,
    assumedLatencyMs,
    send: (batch, done) => {
      const { isRetry = false } = batch;
      if (isRetry && !budget.take()) {
        queueMicrotask(() => done({ ok: false, error: new SpillwayError("retry_budget_spent") }));
        return;
      }
      target.send(batch, (result) => {
        const isUnsent = !result.ok && result.isUnsent === true;
        if (isRetry && isUnsent) budget.giveBack();
        if (!isRetry && !isUnsent) budget.earn();
        done(result);
      });
    },
  };
}
