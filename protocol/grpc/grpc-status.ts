/** The statuses of HTTP and of gRPC that mean the same. */

/** The codes of gRPC, by name. */
export const grpcCodes = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** The HTTP status of each code, in the order of the codes. */
const httpStatuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/** Of other statuses, those below 500 are the caller's fault and those from 500 on the server's. */
const codesOfHttp: Readonly<Record<number, number>> = {
  401: grpcCodes.UNAUTHENTICATED,
  403: grpcCodes.PERMISSION_DENIED,
  404: grpcCodes.NOT_FOUND,
  408: grpcCodes.DEADLINE_EXCEEDED,
  409: grpcCodes.ABORTED,
  413: grpcCodes.RESOURCE_EXHAUSTED,
  429: grpcCodes.RESOURCE_EXHAUSTED,
  431: grpcCodes.RESOURCE_EXHAUSTED,
  499: grpcCodes.CANCELLED,
  501: grpcCodes.UNIMPLEMENTED,
  502: grpcCodes.UNAVAILABLE,
  503: grpcCodes.UNAVAILABLE,
  504: grpcCodes.DEADLINE_EXCEEDED,
};

export function grpcCodeOf(httpStatus: number): number {
  if (httpStatus < 300) return grpcCodes.OK;
  return codesOfHttp[httpStatus] ?? (httpStatus < 500 ? grpcCodes.INVALID_ARGUMENT : grpcCodes.INTERNAL);
}

/** How servers say of a message that it is longer than they take. */
const ofSize = /message (is )?larger than max|exceeds? (the )?max\w* (receive )?message/i;
/** What Triton says of a model that it does not have, whatever the code. */
const ofUnknownModel = /request for unknown model/i;

/** @param details the text of the error */
export function httpStatusOf(grpcCode: number, details = ""): number {
  if (grpcCode === grpcCodes.RESOURCE_EXHAUSTED && ofSize.test(details)) return 413;
  if (ofUnknownModel.test(details)) return 404;
  return httpStatuses[grpcCode] ?? 500;
}
