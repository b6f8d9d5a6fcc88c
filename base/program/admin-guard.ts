/**
 * Who may change a server: holders of its token; without one, programs on this machine alone, and no web page that
 * a browser on this machine shows.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";

const loopback = /^(127\.|::1$|::ffff:127\.)/;
const loopbackHost = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/;
/** Headers that only a web page or a proxy sends. */
const foreign = ["origin", "x-forwarded-for", "forwarded"];

/** @param token the bearer token that is asked for; undefined for loopback only */
export function adminGuard(token: string | undefined): MiddlewareHandler {
  const expected = token === undefined ? undefined : sha256(token);
  return async (context, next) => {
    if (expected === undefined) {
      if (fromThisMachine(context)) return next();
      return refuse(
        context,
        403,
        "only programs on this machine may ask this; --admin-token allows others to",
      );
    }
    const given = /^Bearer +(.+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
    // Digests are of one length, so that comparing takes as long whatever was given.
    if (given !== undefined && timingSafeEqual(sha256(given), expected)) return next();
    context.header("WWW-Authenticate", "Bearer");
    return refuse(context, 401, "a bearer token is needed");
  };
}

/** Whether a program on this machine asks, and no page in a browser on it. */
export function fromThisMachine(context: Context): boolean {
  if (foreign.some((header) => context.req.header(header) !== undefined)) return false;
  // A name that resolves to this machine is not enough: a page may have one (DNS rebinding).
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
