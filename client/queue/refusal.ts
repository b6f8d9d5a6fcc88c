/** Explains to the caller why a request was refused at its deadline. */
import { SpillwayError } from "../../base/errors.ts";

/** What kept a request from being served in time. */
export interface Obstacles {
  /** How often it was sent. */
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly lastFailure: SpillwayError | undefined;
  /** Why the request may no longer go to functions, or why a target refuses batches now. */
  readonly refusal: SpillwayError | undefined;
  /** Why a target is paused now. */
  readonly pause: SpillwayError | undefined;
}

/**
 * A request that was sent and failed reports that failure, because its caller needs to know it. A request
 * that was never sent reports why no target took it.
 *
 * @example
 * const lastFailure = new SpillwayError("target_fault", "it broke");
 * deadlineRefusal({ attempts: 2, lastFailure, refusal: undefined, pause: undefined }).message;
 * // "Sent 2 times and failed (it broke); its deadline came before another try."
 */
export function deadlineRefusal({ attempts, lastFailure, refusal, pause }: Obstacles): SpillwayError {
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
