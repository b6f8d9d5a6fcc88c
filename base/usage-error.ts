/**
 * Bad usage or bad input: the message names the place, the value and what is allowed. Exit status 2.
 *
 * @example
 * throw new UsageError("--slo is 0; allowed: a number above 0");
 */
export class UsageError extends Error {}

/** Rethrow, as an error of usage, what code that knows no options found wrong with the value of one. */
export function throwUsage(error: unknown): never {
  throw new UsageError((error as Error).message);
}
