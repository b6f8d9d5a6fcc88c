/** What is wrong with a message, on its way from where it is found to the rule, which makes a value of it. */
import { ProtocolError } from "../../../../../../protocol/errors.ts";
import type { BadMessage, BadMessageReason } from "../message.ts";

/** Longest text of a fault. It may go into a log and an error result. */
const mostTextChars = 400;

export class MessageError extends Error {
  readonly reason: BadMessageReason;

  constructor(reason: BadMessageReason, text: string) {
    super(text.length > mostTextChars ? `${text.slice(0, mostTextChars)}...` : text);
    this.reason = reason;
  }
}

/**
 * The result, or what is wrong with the message. A tensor that the protocol refuses is out of range: its values were of
 * the right type.
 */
export function orFault<T>(make: () => T): T | BadMessage {
  try {
    return make();
  } catch (error) {
    if (error instanceof MessageError) return { reason: error.reason, text: error.message };
    if (error instanceof ProtocolError)
      return { reason: "out_of_range", text: new MessageError("out_of_range", error.message).message };
    throw error;
  }
}

export function isBadMessage(value: object): value is BadMessage {
  return Object.hasOwn(value, "reason") && Object.hasOwn(value, "text");
}
