/**
 * A target of functions whose repeated calls stay within a budget: what is beyond it is refused here, without a call.
 * It stands outside the queue, which sees the refusal as a result like any other, so that a record of it replays.
 */
import { SpillwayError } from "../../base/errors.ts";
import type { RetryBudget } from "../targets/retry-budget.ts";
import type { Target } from "../targets/target.ts";

/** @param budget the same for all functions of a queue, since they share what makes them fail */
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
