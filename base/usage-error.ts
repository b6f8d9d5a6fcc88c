/**
 * Bad usage or bad input: the message names the place, the value and what is allowed. Exit status 2.
 *
 * @example
 * throw new UsageError("--slo is 0; allowed: a number above 0");
 */
export class UsageError extends Error {}

/** Throw again, as bad usage, what code that knows no options found wrong with what an option names. */
export function throwUsage(error: unknown): never {
  throw new UsageError((error as Error).message);
}
