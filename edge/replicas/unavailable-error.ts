/** Something cannot be done now, but may be later. */
import { ProtocolError } from "../../protocol/errors.ts";

export class UnavailableError extends ProtocolError {
  /** When to come back, in seconds, above 0. */
  readonly retryAfterS: number;

  /** @param retryAfterMs when to come back; less than a second is said as one */
  constructor(message: string, retryAfterMs = 0) {
    super(message, 503);
    this.retryAfterS = Math.max(1, retryAfterMs / 1_000);
  }
}
