/** Why a request that was not served in time is refused, in the words of what really stood in its way. */
import { SpillwayError } from "../../base/errors.ts";

/** What a request met before its deadline came. */
export interface Obstacles {
  /** How often it was sent. */
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly lastFailure: SpillwayError | undefined;
  /** Why its functions, or a target now, refuse to be sent to. */
  readonly refusal: SpillwayError | undefined;
  /** Why a target is paused now. */
  readonly pause: SpillwayError | undefined;
}

/**
 * A request that was sent and came back says why, for that is what its caller has to know; one that was never sent
 * says why the targets that it waited for did not take it.
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
