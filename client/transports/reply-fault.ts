/** What a reply with a status other than 200 means: by a V2 server, by the platform before it, or by a gateway. */
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import { jsonIn } from "./json-in.ts";
import { isUncharged, meaningOf, platformErrorIn } from "./platform-error.ts";
import type { TransportReply } from "./transport.ts";

/** Longest text that is looked at, in bytes. */
const maxExcerpt = 4_096;

/** What a server says that answers with a status other than 200: a V2 server, or the platform before it. */
export function replyFault({ status, wire }: Pick<TransportReply, "status" | "wire">): SpillwayError {
  const excerpt = wire.body.subarray(0, maxExcerpt);
  const body = jsonIn(excerpt);
  const platform = platformErrorIn(body);
  if (platform !== undefined && status >= 400) {
    const message = `${platform.code} (${status}): ${platform.message}`;
    return new SpillwayError(meaningOf(status, platform), message.slice(0, 500));
  }
  const error = ownErrorIn(body);
  if (error !== undefined) return new SpillwayError(codeOf(status), error);
  // No V2 server says that, so it knows no models: a gateway without a function behind it.
  const code = status === 404 ? "target_denied" : codeOf(status);
  const text = new TextDecoder().decode(excerpt).slice(0, 200);
  return new SpillwayError(code, `status ${status}: ${text}`);
}

/**
 * What a function's platform charges for a call that was answered so: nothing, its time, or nobody knows, because a
 * gateway gave it up, behind which it may run on. It is the platform's own word that there is no charge; a
 * function's 503 says that it ran.
 */
export function chargeOf({
  status,
  wire,
}: Pick<TransportReply, "status" | "wire">): "none" | "time" | "unknown" {
  if (status === 200) return "time";
  const body = jsonIn(wire.body.subarray(0, maxExcerpt));
  const platform = platformErrorIn(body);
  if (platform !== undefined) return isUncharged(status, platform) ? "none" : "time";
  const isByGateway = (status === 502 || status === 504) && ownErrorIn(body) === undefined;
  return isByGateway ? "unknown" : "time";
}

/** What a V2 server says. */
function ownErrorIn(body: unknown): string | undefined {
  const error = (body as { error?: unknown } | undefined)?.error;
  return typeof error === "string" ? error : undefined;
}

/** What a V2 server means by a status other than 200. */
function codeOf(status: number): ErrorCode {
  if (status === 404) return "model_not_found";
  if (status === 503) return "target_unavailable";
  if (status < 400) return "target_fault";
  return meaningOf(status, { code: "", message: "" });
}
