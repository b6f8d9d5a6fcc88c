/** A call that ends with an error code of Function Compute: thrown anywhere under the host's routes, answered by one of them. */
import { fcErrorStatus, type FcErrorCode } from "./fc-contract.ts";

export class FcRefusal extends Error {
  readonly code: FcErrorCode;

  constructor(code: FcErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  /** In the shape that the official SDK takes apart. */
  response(requestId: string): Response {
    return Response.json(
      { RequestId: requestId, Code: this.code, Message: this.message },
      { status: fcErrorStatus[this.code], headers: { "x-fc-request-id": requestId } },
    );
  }
}
