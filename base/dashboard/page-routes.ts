/**
 * The routes that every dashboard has: the page, its files, login and logout, and the stream of its data. The page and its
 * files hold no data, so that anybody may have them; all else is for who may administer, by a proof in the request, from this
 * machine where that is trusted, or by the session of a login.
 */
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { AccessGate } from "../access/access-gate.ts";
import type { EventStreams } from "./event-streams.ts";
import { pageAssets } from "./page-assets.ts";
import { LoginAttempts, Sessions } from "./sessions.ts";

export interface PageOptions {
  readonly gate: AccessGate;
  /** The page itself. */
  readonly html: string;
  /** The folder of its modules in the build. */
  readonly folder: string;
  readonly streams: EventStreams;
  /** Monotonic time. */
  readonly nowMs?: () => number;
}

export interface DashboardRoutes {
  /** The answer to a caller who may not look; undefined: it may. */
  readonly refusal: (context: Context) => Response | undefined;
}

/** What a page may load and do: files of its own server alone, no inline code, no frame around it. */
const securityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");
const pageHeaders = {
  "content-security-policy": securityPolicy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};
const root = "/dashboard";
const mostLoginBytes = 4_096;
const sessionS = 7 * 24 * 3_600;

export function addDashboardPage(app: Hono, options: PageOptions): DashboardRoutes {
  const { gate, html, folder, streams, nowMs = () => performance.now() } = options;
  const sessions = new Sessions({ nowMs, mayStay: (secret) => gate.scopesOf(secret)?.has("admin") === true });
  const attempts = new LoginAttempts(nowMs);
  let assets: ReturnType<typeof pageAssets> | undefined;

  const mayLook = (context: Context): boolean =>
    gate.may(context, "admin") || sessions.isOpen(sessionIn(context));
  const refusal = (context: Context): Response | undefined => {
    if (!mayLook(context))
      return context.json({ error: "log in with the admin token, or an API key with the scope admin" }, 401);
    // Who sends a proof itself is no page; a session or this machine's trust could be used by one.
    const isChange = context.req.method !== "GET" && context.req.method !== "HEAD";
    if (!isChange || context.req.header("authorization") !== undefined || isFromOurPage(context))
      return undefined;
    return context.json(
      { error: "only a page of this server may do that: the header Origin is missing" },
      403,
    );
  };

  app.use(`${root}/*`, async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(pageHeaders)) context.res.headers.set(name, value);
    if (!context.res.headers.has("cache-control")) context.res.headers.set("cache-control", "no-store");
  });
  app.get(root, (context) => context.html(html));
  app.get(`${root}/assets/*`, (context) => {
    assets ??= pageAssets(folder);
    const asset = assets.get(context.req.path.slice(`${root}/assets/`.length));
    if (asset === undefined) return context.notFound();
    const headers = { etag: asset.etag, "cache-control": "no-cache" };
    if (context.req.header("if-none-match") === asset.etag) return context.body(null, 304, headers);
    return context.body(asset.body, 200, { ...headers, "content-type": asset.type });
  });
  app.get(`${root}/session`, (context) =>
    context.json({ mayLook: mayLook(context), isLoggedIn: sessions.isOpen(sessionIn(context)) }),
  );
  app.post(`${root}/login`, async (context) => {
    if (!isFromOurPage(context)) return context.json({ error: "only a page of this server may log in" }, 403);
    const address = addressOf(context);
    const waitMs = attempts.waitMs(address);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1_000);
      const error = `too many wrong tokens; try again in ${seconds} s`;
      return context.json({ error }, 429, { "retry-after": String(seconds) });
    }
    const token = await tokenIn(context);
    const id = token === undefined ? undefined : sessions.open(token);
    if (id === undefined) {
      attempts.failed(address);
      const why = token !== undefined && gate.scopesOf(token) !== undefined;
      const error = why ? "this API key has no scope admin" : "this is not the admin token";
      return context.json({ error }, 401);
    }
    setCookie(context, cookieName(context), id, cookieOptions(context));
    return context.json({ isLoggedIn: true });
  });
  app.post(`${root}/logout`, (context) => {
    if (!isFromOurPage(context))
      return context.json({ error: "only a page of this server may log out" }, 403);
    const id = sessionIn(context);
    if (id !== undefined) sessions.close(id);
    deleteCookie(context, cookieName(context), { path: root });
    return context.json({ isLoggedIn: false });
  });
  app.get(`${root}/stream`, (context) => {
    const refused = refusal(context);
    if (refused !== undefined) return refused;
    // This machine's trust and a proof in the request hold for the whole request; a session may end before.
    const isTrusted = gate.may(context, "admin");
    const id = sessionIn(context);
    return streams.answer(context, () => isTrusted || sessions.isOpen(id));
  });
  return { refusal };
}

function sessionIn(context: Context): string | undefined {
  return getCookie(context, cookieName(context));
}

/** The gate has refused pages of others; here is asked that a page sent it at all. */
function isFromOurPage(context: Context): boolean {
  return context.req.header("origin") !== undefined || context.req.header("sec-fetch-site") === "same-origin";
}

/** Cookies are shared by all ports of a host, so that each program there needs a name of its own. */
function cookieName(context: Context): string {
  const port = /:(\d{1,5})$/.exec(context.req.header("host") ?? "")?.[1] ?? "web";
  return `spillway_session_${port}`;
}

function cookieOptions(context: Context) {
  const secure = context.req.header("origin")?.startsWith("https://") === true;
  return { path: root, httpOnly: true, sameSite: "Strict", secure, maxAge: sessionS } as const;
}

function addressOf(context: Context): string {
  const { incoming } = (context.env as Partial<HttpBindings> | undefined) ?? {};
  return incoming?.socket.remoteAddress ?? "";
}

/** The token of a body such as `{"token": "…"}`. */
async function tokenIn(context: Context): Promise<string | undefined> {
  if (Number(context.req.header("content-length") ?? Infinity) > mostLoginBytes) return undefined;
  const body: unknown = await context.req.json().catch(() => undefined);
  if (typeof body !== "object" || body === null || !("token" in body)) return undefined;
  return typeof body.token === "string" && body.token !== "" ? body.token : undefined;
}
