/** Cross-origin resource sharing: what a browser must be told before a page of an allowed origin may call. */
import type { Context } from "hono";

/** How long a browser may keep the answer to a preflight, in seconds. */
const keepS = 600;
const methods = "GET, HEAD, POST, DELETE";
const requestHeaders =
  "authorization, content-type, content-encoding, inference-header-content-length, x-request-id, traceparent, last-event-id";
const answerHeaders =
  "inference-header-content-length, location, retry-after, spillway-job-rows, spillway-request-id, www-authenticate";

/** Whether a browser asks if a request may be made. */
export function isPreflight({ req }: Context): boolean {
  return req.method === "OPTIONS" && req.header("access-control-request-method") !== undefined;
}

/** Says what a page may send. Credentials go in the header Authorization, never in cookies. */
export function answerPreflight(context: Context, origin: string): Response {
  const asksForPrivate = context.req.header("access-control-request-private-network") === "true";
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-methods": methods,
      "access-control-allow-headers": requestHeaders,
      "access-control-max-age": String(keepS),
      ...(asksForPrivate && { "access-control-allow-private-network": "true" }),
      vary: "origin, access-control-request-method, access-control-request-headers",
    },
  });
}

/**
 * Lets the page that asked read an answer.
 *
 * @param origin that of an allowed page; undefined: no page of another site asked
 */
export function shareWith({ headers }: Response, origin: string | undefined): void {
  headers.append("vary", "origin");
  if (origin === undefined) return;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", answerHeaders);
}
