/** What calls of functions earn and what repeats of them cost, by the calls that were really made. */
import { expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import { RetryBudget } from "../targets/retry-budget.ts";
import type { BatchResult, Target } from "../targets/target.ts";
import { guardedTarget } from "./guarded-target.ts";

const fault = new SpillwayError("target_unreachable");
const unsent: BatchResult<number> = { ok: false, error: fault, isUnsent: true };
const sent: BatchResult<number> = { ok: false, error: fault };

/** How many repeats the budget still has after calls that ended like that. */
async function repeatsAfter(results: readonly BatchResult<number>[], isRetry: boolean): Promise<number> {
  const budget = new RetryBudget();
  const ends = [...results];
  const target: Target<number, number> = {
    name: "f",
    kind: "serverless",
    maxInFlight: 1,
    assumedLatencyMs: 1,
    send: (_, done) => queueMicrotask(() => done(ends.shift() as BatchResult<number>)),
  };
  const guarded = guardedTarget(target, budget);
  const batch = { id: 0, key: "", payloads: [1], rows: 1, deadlineAtMs: 1, isRetry };
  for (const _ of results) await new Promise<unknown>((resolve) => guarded.send(batch, resolve));
  let repeats = 0;
  while (budget.take()) repeats++;
  return repeats;
}

const five = <T>(value: T): T[] => Array.from({ length: 5 }, () => value);

it("earns a repeat by the calls that were sent alone", async () => {
  expect(await repeatsAfter([...five(sent), sent], false)).toBe(11);
  expect(await repeatsAfter([...five(unsent), sent], false)).toBe(10);
});

it("pays for a repeat that was sent, and gets back what it paid for one that was not", async () => {
  expect(await repeatsAfter(five(sent), true)).toBe(5);
  expect(await repeatsAfter(five(unsent), true)).toBe(10);
});
