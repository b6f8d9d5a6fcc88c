// The one error of the protocol layer. It carries the HTTP status a server should answer with, so that whoever
// catches it needs no table of messages.

/** A message, tensor or frame that breaks the protocol. The text names the place, the value and what is allowed. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  /** HTTP status, 400 to 599: 4xx when the message is at fault, 5xx when the server that answered is. */
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/** The JSON body that goes with every HTTP status other than 200. */
export function errorBody(message: string): { error: string } {
  return { error: message };
}
