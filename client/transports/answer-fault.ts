/** What it means to the queue that an answer came and is of no use: that its target is at fault. */
import { ProtocolError } from "../../protocol/errors.ts";
import { SpillwayError } from "../../base/errors.ts";
import { withoutExcerpt } from "./redact.ts";

/** @param error whatever reading the answer threw; a SpillwayError is returned as it is */
export function answerFault(error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const message =
    error instanceof ProtocolError
      ? `the answer makes no sense: ${withoutExcerpt(error.message)}`
      : String(error);
  return new SpillwayError("target_fault", message);
}
