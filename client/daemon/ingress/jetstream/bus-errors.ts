/** What a front tells of a request that the server does not take. */
import { SpillwayError } from "../../../../base/errors.ts";

/** When to come back, in milliseconds. */
export const comeBackMs = 1_000;

export function fullError(error: unknown): SpillwayError {
  const why = `the shared queue takes no more (${(error as Error).message})`;
  return new SpillwayError("queue_full", why, { retryAfterMs: comeBackMs });
}

export function awayError(error: unknown): SpillwayError {
  const { message } = error as Error;
  return new SpillwayError("target_unavailable", `the NATS server does not take the request (${message})`, {
    cause: error,
    retryAfterMs: comeBackMs,
    isOfTarget: false,
  });
}
