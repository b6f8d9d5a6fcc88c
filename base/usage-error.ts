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

/** An error in an input file, such as a trace or a scenario. The message names the file and the place in it. */
export class InputError extends UsageError {
  /**
   * @param file name of the file
   * @param place where in it: `line:column`, or the path of a field; empty for the whole file
   */
  constructor(file: string, place: string, why: string) {
    super(place === "" ? `${file}: ${why}` : `${file}:${place}: ${why}`);
    this.name = "InputError";
  }
}
