/** Why a request is refused or fails, in the words of what really stood in its way. */
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";

interface Unsent {
  readonly attempts: number;
  readonly lastFailure: SpillwayError | undefined;
  readonly notSent: SpillwayError | undefined;
}

/**
 * A request that was sent and came back says why, for that is what its caller has to know; one that waited for a
 * target that was left alone says why that was.
 *
 * @param heldBy why a target is left alone now
 */
export function refusalOf(
  { attempts, lastFailure, notSent }: Unsent,
  code: ErrorCode,
  heldBy?: SpillwayError,
): SpillwayError {
  if (code !== "deadline_passed") return new SpillwayError(code);
  const why = notSent ?? heldBy;
  if (lastFailure !== undefined) {
    const times = attempts === 1 ? "once" : `${attempts} times`;
    const then =
      why?.isLocal === true ? `not sent again (${why.message})` : "its deadline came before another try";
    return new SpillwayError(code, `Sent ${times} and failed (${lastFailure.message}); ${then}.`, {
      cause: lastFailure,
    });
  }
  if (why === undefined) return new SpillwayError(code);
  if (why.isLocal) return why;
  return new SpillwayError(code, `Not sent before its deadline: a target was left alone (${why.message}).`, {
    cause: why,
  });
}

/** Why a request fails whose last batch ended with that error. */
export function failureOf({ lastFailure }: Unsent, error: SpillwayError): SpillwayError {
  if (!error.isLocal || lastFailure === undefined) return error;
  const message = `${lastFailure.message}; not sent again: ${error.message}`;
  return new SpillwayError(error.code, message, { cause: lastFailure });
}
