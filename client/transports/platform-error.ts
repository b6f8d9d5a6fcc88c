/**
 * What a function platform's refusal means to the queue, whether it came through the vendor's SDK or as a plain reply.
 * The vendor's pages disagree on which code goes with which status, so either is enough.
 */
import type { ErrorCode } from "../../base/errors.ts";

export interface PlatformError {
  readonly code: string;
  readonly message: string;
  readonly requestId?: string | undefined;
}

const throttled = new Set(["ResourceExhausted", "ResourceThrottled"]);
const broken = new Set(["CAExited", "CAFileNotFound", "FunctionNotStarted"]);

/**
 * Statuses of errors that are not charged. ASSUMED for 401, and for 404, where there is no function to charge. The
 * vendor says it of 500 as well, but a function may answer 500 itself, so there the code decides.
 */
const unchargedStatuses = new Set([401, 403, 404, 429, 503]);
const unchargedCode = "InternalServerError";

/** The platform's error in a parsed body, in the present or the old shape; undefined when it is none. */
export function platformErrorIn(body: unknown): PlatformError | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const fields = body as Readonly<Record<string, unknown>>;
  const code = fields["Code"] ?? fields["ErrorCode"];
  if (typeof code !== "string") return undefined;
  const message = fields["Message"] ?? fields["ErrorMessage"];
  const requestId = fields["RequestId"];
  return {
    code,
    message: typeof message === "string" ? message : "",
    requestId: typeof requestId === "string" ? requestId : undefined,
  };
}

/** @param status of the HTTP reply, 400 to 599 */
export function meaningOf(status: number, { code, message }: PlatformError): ErrorCode {
  if (isTooLarge(status, code, message)) return "request_too_large";
  if (isThrottling(code)) return "target_throttled";
  if (broken.has(code) || status === 412) return "target_broken";
  if (code === "BadResponse") return "answer_rejected";
  switch (status) {
    case 401:
    case 403:
    case 404:
      return "target_denied";
    case 408:
    case 504:
      return "target_timeout";
    case 429:
    case 503:
      return "target_throttled";
    // The platform believes that we hung up, so the connection is gone.
    case 499:
      return "target_unreachable";
    default:
      return status < 500 ? "request_rejected" : "target_fault";
  }
}

/**
 * Whether the platform charges nothing for a call that it ended with this error of its own. A reply that is not the
 * platform's may be the function's, which ran then.
 */
export function isUncharged(status: number, { code }: PlatformError): boolean {
  if (broken.has(code)) return false;
  return unchargedStatuses.has(status) || code === unchargedCode || isThrottling(code);
}

function isThrottling(code: string): boolean {
  return throttled.has(code) || code.startsWith("Throttling");
}

function isTooLarge(status: number, code: string, message: string): boolean {
  return (
    status === 413 || code === "EntityTooLarge" || (status === 400 && message.includes("EntityTooLarge"))
  );
}
