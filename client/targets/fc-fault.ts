/**
 * What Function Compute's SDK throws, as the queue's errors. Its classes tell little, so the status and the
 * code decide; a gateway's HTML page surfaces as a SyntaxError without either.
 */
import { type ErrorCode, SpillwayError } from "../errors.ts";

interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly statusCode?: number;
}

const throttlingCodes = new Set(["ResourceExhausted", "ResourceThrottled"]);

/** @param error whatever the SDK threw; a SpillwayError is returned as it is */
export function fcFault(error: unknown, functionName: string): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const { message = String(error) } = error as SdkError;
  return new SpillwayError(codeOf(error as SdkError), `${functionName}: ${message}`, { cause: error });
}

function codeOf({ name = "", message = "", code = "", statusCode }: SdkError): ErrorCode {
  if (statusCode === 429 || statusCode === 503 || throttlingCodes.has(code)) return "target_throttled";
  if (statusCode === 401 || statusCode === 403 || statusCode === 404) return "target_denied";
  if (statusCode === 400 || statusCode === 413) return "request_rejected";
  if (statusCode !== undefined) return "target_fault";
  if (/Timeout/.test(name) || /ReadTimeout|ConnectTimeout/.test(message)) return "target_timeout";
  if (/^E[A-Z]+$/.test(code) || /ECONN|socket hang up|aborted/.test(message)) return "target_unreachable";
  if (code === "InvalidCredentials") return "target_denied";
  return "target_fault";
}
