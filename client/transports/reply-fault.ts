/** What a reply that is no answer means: one with a status other than 200, or one that cannot be read. */
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { isUncharged, meaningOf, platformErrorIn } from "./platform-error.ts";
import { jsonIn, withoutExcerpt } from "./reply-text.ts";
import type { TransportReply } from "./transport.ts";

/** Bytes of a body that are read. */
const maxExcerpt = 4_096;

/** The error of a reply with a status other than 200: by a V2 server, by the platform before it, or by a gateway. */
export function replyFault({
  status,
  wire,
  retryAfterMs,
}: Pick<TransportReply, "status" | "wire" | "retryAfterMs">): SpillwayError {
  const excerpt = wire.body.subarray(0, maxExcerpt);
  const body = jsonIn(excerpt);
  const overload = status === 503 ? overloadIn(body, excerpt) : undefined;
  if (overload !== undefined) return new SpillwayError("overloaded", overload, { retryAfterMs });
  const platform = platformErrorIn(body);
  if (platform !== undefined && status >= 400) {
    const message = `${platform.code} (${status}): ${platform.message}`;
    const code = meaningOf(status, platform);
    return new SpillwayError(code, message.slice(0, 500), {
      isOfTarget: code === "target_fault" ? true : undefined,
    });
  }
  const error = ownErrorIn(body);
  if (error !== undefined) return new SpillwayError(codeOf(status, error), error);
  const text = new TextDecoder().decode(excerpt).slice(0, 200);
  const message = `status ${status}: ${text}`;
  // Not in the words of a V2 server, so 404 says nothing of the model: a gateway has no function behind it.
  if (status === 404) return new SpillwayError("target_denied", message);
  const code = codeOf(status, text);
  // Servers say 500 of a request in words of their own; what is above 500 comes from a gateway that reaches none.
  const isByGateway = code === "target_fault" && status > 501;
  return new SpillwayError(code, message, { isOfTarget: isByGateway ? true : undefined });
}

/**
 * The error of an answer that came and cannot be used: its target is at fault.
 *
 * @param error whatever reading the answer threw; a SpillwayError is returned as it is
 */
export function answerFault(error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const message =
    error instanceof ProtocolError
      ? `the answer makes no sense: ${withoutExcerpt(error.message)}`
      : String(error);
  return new SpillwayError("target_fault", message);
}

/**
 * What a function's platform charges for a call with this reply: nothing where the platform itself says so, else the
 * call's time. It is unknown when a gateway gave up, because the call may run on behind it.
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

/** The text of a V2 server's error. */
function ownErrorIn(body: unknown): string | undefined {
  const error = (body as { error?: unknown } | undefined)?.error;
  return typeof error === "string" ? error : undefined;
}

/**
 * How servers say with 503 that their queue is full, or that a request waited there for too long: Triton (the first two),
 * Knative, Envoy and TorchServe. Their health is not in doubt, unlike that of a server which only says 503.
 */
const ofOverload =
  /exceeds maximum queue size|request timeout expired|request queue (is )?full|activator overload|reset reason: overflow|has no worker to serve inference request/i;

/** What a server that gave up a request under too much load says; undefined when it says nothing of the kind. */
function overloadIn(body: unknown, excerpt: Uint8Array): string | undefined {
  const own = ownErrorIn(body);
  if ((body as { reason?: unknown } | undefined)?.reason === "overloaded") return own ?? "overloaded";
  const text = own ?? new TextDecoder().decode(excerpt);
  return ofOverload.test(text) ? text.slice(0, 500) : undefined;
}

/** How runtimes say that a request needed more memory than there was. */
const ofMemory =
  /out of memory|\bOOM\b|bad_alloc|bad allocation|insufficient memory|(fail(?:s|ed|ure|ing)?|unable) to allocate|(could not|cannot) allocate|RESOURCE_?EXHAUSTED/i;

/** What Triton says, with 400 in its older versions. */
const ofUnknownModel = /request for unknown model/i;

/** What a V2 server means by a status other than 200. */
function codeOf(status: number, text: string): ErrorCode {
  if (status === 404 || (status === 400 && ofUnknownModel.test(text))) return "model_not_found";
  if (status === 503) return "target_unavailable";
  if (status === 507 || (status === 500 && ofMemory.test(text))) return "out_of_memory";
  if (status < 400) return "target_fault";
  return meaningOf(status, { code: "", message: "" });
}
