/**
 * Sends a batch that its target refuses or fails again in halves, and those in halves, down to single requests: what is
 * wrong with one request is nobody else's matter. So each request gets an answer or an error of its own. There are at
 * most twice as many calls as requests, the larger parts first.
 */
import { refusals, type SpillwayError, worstOf } from "../../base/errors.ts";
import { Semaphore } from "../../base/semaphore.ts";
import type { BatchResult } from "../targets/target.ts";

/** How one call ended. */
export interface PartEnd<Out> {
  readonly result: BatchResult<Out>;
  /** Why the answer cannot be cut into one for each request; then they are sent singly. */
  readonly mixed?: string;
}

export interface SplitOptions<In, Out> {
  /** Sends some of the payloads as one call. */
  readonly send: (payloads: readonly In[]) => Promise<PartEnd<Out>>;
  /** Most calls at once, an integer from 1. */
  readonly atOnce: number;
}

/** The result of a call, and how many requests it ends: none when they were sent again in parts. */
type Part<Out> = { readonly count: number; readonly result: BatchResult<Out> };

/**
 * @example What a target that takes two requests at most is sent, of a batch of five:
 * await sendSplit(["a", "b", "c", "d", "e"], { send, atOnce: 1 }); // abcde, abc, de, ab, c
 */
export async function sendSplit<In, Out>(
  payloads: readonly In[],
  { send, atOnce }: SplitOptions<In, Out>,
): Promise<BatchResult<Out>> {
  // Mostly all is answered at once.
  const whole = await send(payloads);
  if (whole.result.ok) return whole.result;
  const places = new Semaphore(atOnce);
  let ofTarget = isOfTarget(whole.result.error) ? whole.result.error : undefined;

  const sentPart = async (some: readonly In[]): Promise<PartEnd<Out>> => {
    // The target takes nothing now, whatever it is sent.
    if (ofTarget !== undefined) return { result: { ok: false, error: ofTarget } };
    const end = await send(some);
    if (!end.result.ok && isOfTarget(end.result.error)) ofTarget = end.result.error;
    return end;
  };

  async function partsOf(some: readonly In[], end?: PartEnd<Out>): Promise<Part<Out>[]> {
    const { result, mixed } = end ?? (await places.run(() => sentPart(some)));
    const part = { count: some.length, result };
    if (result.ok) return [part];
    const { error } = result;
    if (some.length === 1 || (mixed === undefined && !isOfRequests(error))) return [part];
    const size = mixed === undefined ? Math.ceil(some.length / 2) : 1;
    const parts: Promise<Part<Out>[]>[] = [];
    for (let from = 0; from < some.length; from += size) parts.push(partsOf(some.slice(from, from + size)));
    return [{ count: 0, result }, ...(await Promise.all(parts)).flat()];
  }

  const parts = await partsOf(payloads, whole);
  const [first] = parts;
  return first !== undefined && parts.length === 1 ? first.result : joined(parts);
}

/** A call that was not made tells nothing. */
function isOfTarget(error: SpillwayError): boolean {
  return error.isOfTarget && !refusals.has(error.code);
}

/** Whether the error may be that of some of the requests only. A call that found no time left says nothing of them. */
function isOfRequests({ code, isOfTarget }: SpillwayError): boolean {
  return !isOfTarget && !refusals.has(code) && code !== "target_timeout";
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
  if (answers.length > 0) {
    const rest = unanswered.size === 0 ? {} : { unanswered };
    return { ok: true, answers, ...rest, serviceMs: undefined, coldStartMs, cost };
  }
  const error = worstOf(unanswered.values()) as SpillwayError;
  return { ok: false, error, unanswered, cost };
}
