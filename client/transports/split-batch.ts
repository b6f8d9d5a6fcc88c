/**
 * Sends a batch that its target finds too large in halves, and those in halves, down to single requests. One part goes
 * after the other, and there are at most twice as many calls as requests. Only a request that is too large alone fails.
 */
import { type SpillwayError, worstOf } from "../../base/errors.ts";
import type { BatchResult } from "../targets/target.ts";

/** The result of a call, and how many requests it ends: none when they were sent again in halves. */
type Part<Out> = { readonly count: number; readonly result: BatchResult<Out> };

/** @param send sends some of the payloads as one call */
export async function sendSplit<In, Out>(
  payloads: readonly In[],
  send: (payloads: readonly In[]) => Promise<BatchResult<Out>>,
): Promise<BatchResult<Out>> {
  const parts = await partsOf(payloads, send);
  const [first] = parts;
  return first !== undefined && parts.length === 1 ? first.result : joined(parts);
}

async function partsOf<In, Out>(
  payloads: readonly In[],
  send: (payloads: readonly In[]) => Promise<BatchResult<Out>>,
): Promise<Part<Out>[]> {
  const result = await send(payloads);
  const isTooLarge = !result.ok && result.error.code === "request_too_large";
  if (!isTooLarge || payloads.length === 1) return [{ count: payloads.length, result }];
  const middle = Math.ceil(payloads.length / 2);
  return [
    { count: 0, result },
    ...(await partsOf(payloads.slice(0, middle), send)),
    ...(await partsOf(payloads.slice(middle), send)),
  ];
}

/** Service times of several calls are no measure of one, so they are left out. */
function joined<Out>(parts: readonly Part<Out>[]): BatchResult<Out> {
  const answers: Out[] = [];
  const unanswered = new Map<number, SpillwayError>();
  let cost = 0;
  let coldStartMs: number | undefined = 0;
  let at = 0;
  for (const { count, result } of parts) {
    cost += result.cost ?? 0;
    if (result.ok) {
      answers.push(...result.answers);
      coldStartMs =
        coldStartMs === undefined || result.coldStartMs === undefined
          ? undefined
          : coldStartMs + result.coldStartMs;
    } else for (let index = at; index < at + count; index++) unanswered.set(index, result.error);
    at += count;
  }
  if (answers.length > 0) return { ok: true, answers, unanswered, serviceMs: undefined, coldStartMs, cost };
  const error = worstOf(unanswered.values()) as SpillwayError;
  return { ok: false, error, unanswered, cost };
}
