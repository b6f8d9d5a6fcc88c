/** Explains to the caller why a request was refused at its deadline. */
import { SpillwayError } from "../../base/errors.ts";

/** How often a request was sent, and why the last attempt failed. */
interface Attempted {
  readonly attempts: number;
  readonly lastFailure: SpillwayError | undefined;
}

/**
 * A request that was sent and failed reports that failure, because its caller needs to know it. A request
 * that was never sent reports why no target took it.
 *
 * @example
 * const lastFailure = new SpillwayError("target_fault", "it broke");
 * deadlineRefusal({ attempts: 2, lastFailure }, undefined, undefined).message;
 * // "Sent 2 times and failed (it broke); its deadline came before another try."
 *
 * @param refusal why the request may no longer go to functions, or why a target does not admit it
 * @param pause why a target is paused now
 */
export function deadlineRefusal(
  { attempts, lastFailure }: Attempted,
  refusal: SpillwayError | undefined,
  pause: SpillwayError | undefined,
): SpillwayError {
  if (lastFailure !== undefined) {
    const times = attempts === 1 ? "once" : `${attempts} times`;
    const then =
      refusal === undefined ? "its deadline came before another try" : `not sent again (${refusal.message})`;
    return new SpillwayError(
      "deadline_passed",
      `Sent ${times} and failed (${lastFailure.message}); ${then}.`,
      { cause: lastFailure },
    );
  }
  if (refusal !== undefined) return refusal;
  if (pause === undefined) return new SpillwayError("deadline_passed");
  return new SpillwayError(
    "deadline_passed",
    `Not sent before its deadline: a target was paused (${pause.message}).`,
    { cause: pause },
  );
}
