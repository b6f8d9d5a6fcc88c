/** Guards admin endpoints: for callers with the token or, without one, for programs on this machine alone. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";

const loopback = /^(127\.|::1$|::ffff:127\.)/;
const loopbackHost = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/;
/** Headers that only web pages and proxies send. */
const foreignHeaders = ["origin", "x-forwarded-for", "forwarded"];

/** @param token the bearer token that callers must send; undefined to allow this machine alone */
export function adminGuard(token: string | undefined): MiddlewareHandler {
  const expected = token === undefined ? undefined : sha256(token);
  return async (context, next) => {
    if (expected === undefined) {
      if (fromThisMachine(context)) return next();
      return refuse(
        context,
        403,
        "allowed only for programs on this machine; set --admin-token to allow others",
      );
    }
    const given = /^Bearer +(.+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
    // Digests have one length, so the comparison takes the same time for every token.
    if (given !== undefined && timingSafeEqual(sha256(given), expected)) return next();
    context.header("WWW-Authenticate", "Bearer");
    return refuse(context, 401, "a bearer token is needed");
  };
}

/** Whether the caller is a program on this machine and not a page in a browser. */
export function fromThisMachine(context: Context): boolean {
  if (foreignHeaders.some((header) => context.req.header(header) !== undefined)) return false;
  // By DNS rebinding, a web page can have a name that resolves to this machine.
  const host = context.req.header("host");
  if (host !== undefined && !loopbackHost.test(host)) return false;
  const bindings = context.env as Partial<HttpBindings> | undefined;
  // Without a socket, the app was called as a function.
  return bindings?.incoming === undefined || loopback.test(bindings.incoming.socket.remoteAddress ?? "");
}

function refuse(context: Context, status: 401 | 403, why: string): Response {
  return context.json({ error: `${context.req.method} ${context.req.path}: ${why}` }, status);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
