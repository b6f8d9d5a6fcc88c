/** The errors of the protocol. They carry the HTTP status to answer with. */

/** A message, tensor or frame that breaks the protocol. The message names the place, the value and what is allowed. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  /** HTTP status, 400 to 599: 4xx when the sender of the message is at fault, 5xx when the server that answered is. */
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/** Something that cannot be done now, but perhaps later: 503. */
export class UnavailableError extends ProtocolError {
  /** When to try again, in seconds; at least 1. */
  readonly retryAfterS: number;

  constructor(message: string, retryAfterMs = 0) {
    super(message, 503);
    this.retryAfterS = Math.max(1, retryAfterMs / 1_000);
  }
}

/** More requests come than can be answered in time: 503. It says nothing of whether the server is well. */
export class OverloadedError extends UnavailableError {
  /** Goes with the message, so that callers need not read it. */
  readonly reason = "overloaded";
}

/** The JSON body that goes with every HTTP status other than 200. */
export function errorBody(message: string, reason?: string): { error: string; reason?: string } {
  return { error: message, ...(reason !== undefined && { reason }) };
}
