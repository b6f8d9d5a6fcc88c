/** The error codes that Function Compute answers with, and the error that carries one through the host. */

/** Every code that the host uses, and its HTTP status. */
const fcErrorStatus = {
  EntityTooLarge: 400,
  InvalidArgument: 400,
  MissingRequiredHeader: 400,
  PathNotSupported: 400,
  SignatureNonceUsed: 400,
  AccessDenied: 403,
  InvalidAccessKeyID: 403,
  SignatureNotMatch: 403,
  AliasNotFound: 404,
  FunctionNotFound: 404,
  TriggerNotFound: 404,
  VersionNotFound: 404,
  MethodNotAllowed: 405,
  FunctionAlreadyExists: 409,
  TriggerAlreadyExists: 409,
  CAExited: 412,
  CAFileNotFound: 412,
  FunctionNotStarted: 412,
  ResourceExhausted: 429,
  InternalServerError: 500,
  BadResponse: 502,
  ServiceUnavailable: 503,
} as const;

export type FcErrorCode = keyof typeof fcErrorStatus;

/** Ends a request with an error code. Thrown anywhere below the host's routes; the host turns it into the answer. */
export class FcRefusal extends Error {
  readonly code: FcErrorCode;

  constructor(code: FcErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  /** The answer in the form that the official SDK parses. */
  response(requestId: string, headers: Readonly<Record<string, string>> = {}): Response {
    return Response.json(
      { RequestId: requestId, Code: this.code, Message: this.message },
      { status: fcErrorStatus[this.code], headers: { ...headers, "x-fc-request-id": requestId } },
    );
  }
}
