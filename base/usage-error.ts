/**
 * An error in how a program was called. The message names the place, the value and what is allowed; exit status 2.
 *
 * @example
 * throw new UsageError("--slo is 0; allowed: a number above 0");
 */
export class UsageError extends Error {}

/** Rethrow, as an error of usage, what code that knows no options found wrong with the value of one. */
export function throwUsage(error: unknown): never {
  throw new UsageError((error as Error).message);
}
