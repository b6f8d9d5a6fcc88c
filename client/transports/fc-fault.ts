/**
 * What Function Compute's SDK throws, as the queue's errors. Its classes tell little, so the status and the
 * code decide; a gateway's HTML page surfaces as a SyntaxError without either. Of its objects only texts are kept:
 * they hold requests and replies, with whatever secrets are in those.
 */
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import { isUncharged, meaningOf, platformErrorIn } from "./platform-error.ts";
import { withoutExcerpt } from "./redact.ts";
import { BilledFailure } from "./transport.ts";
import { isUnconnected } from "./unconnected.ts";

interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly statusCode?: number;
  /** The body of the reply, with the status added. */
  readonly data?: unknown;
}

/** Longest text that is taken over, in characters. */
const maxText = 500;

/**
 * @param error whatever the SDK threw; a SpillwayError is returned as it is
 * @param redacted takes secrets out of a text
 */
export function fcFault(
  error: unknown,
  functionName: string,
  redacted: (text: string) => string = (text) => text,
): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const { code, text, isFree = false } = faultOf(error as SdkError);
  const message = `${functionName}: ${redacted(text).slice(0, maxText)}`;
  if (isUnconnected(error)) return new BilledFailure(code, message, 0);
  return isFree ? new BilledFailure(code, message, 0) : new SpillwayError(code, message);
}

function faultOf(error: SdkError): { code: ErrorCode; text: string; isFree?: boolean } {
  const { message = "", code = "", statusCode, data } = error;
  if (error instanceof SyntaxError) {
    return { code: "target_fault", text: `the reply is no JSON: ${withoutExcerpt(message)}` };
  }
  if (statusCode === undefined) return { code: withoutStatus(error), text: message };
  const said = platformErrorIn(data);
  const platform = said ?? { code, message };
  const request = platform.requestId === undefined ? "" : `; request ${platform.requestId}`;
  return {
    code: meaningOf(statusCode, platform),
    text: `${platform.code} (${statusCode}${request}): ${platform.message}`,
    isFree: said !== undefined && isUncharged(statusCode, said),
  };
}

function withoutStatus({ name = "", message = "", code = "" }: SdkError): ErrorCode {
  if (/Timeout/.test(name) || /ReadTimeout|ConnectTimeout/.test(message)) return "target_timeout";
  if (/^E[A-Z]+$/.test(code) || /ECONN|socket hang up|aborted/.test(message)) return "target_unreachable";
  if (code === "InvalidCredentials") return "target_denied";
  return "target_fault";
}
