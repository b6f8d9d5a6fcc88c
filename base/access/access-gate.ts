/**
 * The gate of a server: who calls, and what they may do, decided from the head of a request before its body is read.
 *
 *     const gate = new AccessGate({ token: { token, endsTrust: false }, keys: () => file.keys(), cors: [] });
 *     app.use(gate.protect(neededScope));
 *
 * Programs on this machine need no proof until the operator names an admin token or API keys.
 */
import { timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import type { Logger } from "pino";
import { SideField } from "../memory/side-field.ts";
import { type AccessCounts, type ApiKey, keyAmong, type Scope, scopes, sha256Of } from "./api-keys.ts";
import { answerPreflight, isPreflight, shareWith } from "./cors.ts";
import { foreignPageOf, foreignToPage, hasPublicName, headOf, isFromThisMachine } from "./request-head.ts";
import type { RequestHead } from "./request-head.ts";

/** Who a request comes from. `anybody` has proved nothing. */
export type Caller =
  | { readonly kind: "local" | "token" | "anybody"; readonly scopes: ReadonlySet<Scope> }
  | { readonly kind: "key"; readonly key: ApiKey; readonly scopes: ReadonlySet<Scope> };

export interface AccessOptions {
  /** The admin token. `endsTrust`: the operator chose it, so programs on this machine need it as well. */
  readonly token?: { readonly text: string; readonly endsTrust: boolean; readonly path?: string } | undefined;
  /** The API keys now; undefined: there are none, and nobody needs one. */
  readonly keys?: (() => readonly ApiKey[]) | undefined;
  /** Origins of web pages that may call; `*` stands for all. */
  readonly cors?: readonly string[];
  /** What anybody may do as long as there are no API keys; default: infer. */
  readonly open?: readonly Scope[];
  /** Whether a question about a model may cost money. */
  readonly questionsCost?: boolean;
  /** Monotonic time. */
  readonly nowMs?: () => number;
  readonly log?: Pick<Logger, "warn"> | undefined;
}

/** Node drops headers beyond some hundreds, and with them the last: the sign of a proxy, or a page's origin. */
const mostHeaders = 200;
/** How often the log says that requests were refused, in milliseconds. */
const warnEveryMs = 10_000;
const all: ReadonlySet<Scope> = new Set(scopes);
const none: ReadonlySet<Scope> = new Set();

interface Refusal {
  readonly status: 401 | 403 | 429 | 431;
  readonly why: string;
  readonly retryAfterMs?: number;
}

/** A caller by its kind, and by its name where it has an API key. */
export interface CallerCounts {
  readonly caller: Caller["kind"] | "page";
  readonly key: string;
  readonly counts: Readonly<AccessCounts>;
}

export class AccessGate {
  readonly #options: AccessOptions;
  readonly #token: Buffer | undefined;
  readonly #cors: readonly string[];
  readonly #open: ReadonlySet<Scope>;
  readonly #nowMs: () => number;
  readonly #callers = new SideField<Context, Caller>();
  readonly #counts: Record<Exclude<CallerCounts["caller"], "key">, AccessCounts> = {
    local: noCounts(),
    token: noCounts(),
    anybody: noCounts(),
    page: noCounts(),
  };
  #warnedAtMs = -Infinity;
  #unsaid = 0;

  constructor(options: AccessOptions = {}) {
    const { token, cors = [], open = ["infer"], nowMs = () => performance.now() } = options;
    this.#options = options;
    this.#token = token === undefined ? undefined : sha256Of(token.text);
    this.#cors = cors;
    this.#open = options.keys === undefined ? new Set(open) : none;
    this.#nowMs = nowMs;
  }

  /**
   * Refuses requests of those who may not make them, and answers preflights of pages that may call.
   *
   * @param scopeOf what a path needs; undefined: nothing
   * @param isPage whether a path belongs to a page of ours that asks for its own proof, so that links to it may be anywhere
   */
  protect(
    scopeOf: (path: string) => Scope | undefined,
    isPage: (path: string) => boolean = () => false,
  ): MiddlewareHandler {
    return async (context, next) => {
      const head = headOf(context);
      if (head.count > mostHeaders) {
        const why = `${head.count} headers; allowed: at most ${mostHeaders}`;
        return this.#refuse(context, { status: 431, why }, this.#counts.anybody, { caller: "anybody" });
      }
      const ofPage = isPage(context.req.path);
      const page = ofPage ? foreignToPage(head, context.req.method) : foreignPageOf(head);
      if (page !== undefined && (ofPage || !this.#isAllowed(head))) {
        const why = `refused for web pages of ${shown(page)}; --cors names those that may call`;
        return this.#refuse(context, { status: 403, why }, this.#counts.page, { caller: "page" });
      }
      const origin = page === undefined ? undefined : head.headers.get("origin")?.[0];
      if (origin !== undefined && isPreflight(context)) return answerPreflight(context, origin);
      const refused = this.#admit(context, head, scopeOf(context.req.path));
      if (refused === undefined) await next();
      if (this.#cors.length > 0) shareWith(refused ?? context.res, origin);
      return refused;
    };
  }

  /**
   * Lets in a request that no page of a browser sent, if it has the right; undefined: not decided, so that `protect` must
   * answer it. For those who have no context.
   */
  admitPlain(head: RequestHead, scope: Scope): Caller | undefined {
    if (head.count > mostHeaders || head.headers.has("origin") || head.headers.has("sec-fetch-site"))
      return undefined;
    const caller = this.#callerOf(head, bearerIn(head));
    if (!caller.scopes.has(scope)) return undefined;
    if (caller.kind === "key" && caller.key.admit(this.#nowMs()) > 0) return undefined;
    this.#countsOf(caller).allowed++;
    return caller;
  }

  /** Whether answers depend on the page that asks, so that caches must be told (`Vary: origin`). */
  get variesByOrigin(): boolean {
    return this.#cors.length > 0;
  }

  /** Whether the caller has the admin token, which code that comes with a request always needs. */
  mayBringCode(context: Context): boolean {
    return this.#callers.get(context)?.kind === "token";
  }

  /** Whether the caller has shown by itself, without a session, that it may do that. */
  may(context: Context, scope: Scope): boolean {
    return this.#callers.get(context)?.scopes.has(scope) === true;
  }

  /** What whoever knows a secret may do: the admin token or an API key; undefined when it is neither. */
  scopesOf(secret: string): ReadonlySet<Scope> | undefined {
    return this.#holderOf(secret)?.scopes;
  }

  /** The proof of a caller that servers behind this one may see: none that is an API key of ours. */
  passedProof(context: Context): string | undefined {
    return this.#callers.get(context)?.kind === "key" ? undefined : context.req.header("authorization");
  }

  /** In words, how a caller gets the right to bring code. */
  get codeNeeds(): string {
    const { token } = this.#options;
    if (token === undefined) return "there is none: set --admin-token or a usable --state";
    return token.path === undefined ? "the one of --admin-token" : `it is in ${token.path}`;
  }

  /** The name of the caller's API key; undefined when there is none. */
  keyOf(context: Context): string | undefined {
    return keyNameOf(this.#callers.get(context));
  }

  /** Counts the rows of a request for the rate of its API key. */
  countRows(context: Context, rows: number): void {
    countRowsOf(this.#callers.get(context), rows);
  }

  counts(): CallerCounts[] {
    const { local, token, anybody, page } = this.#counts;
    const keys = this.#options.keys?.() ?? [];
    return [
      { caller: "local", key: "", counts: local },
      { caller: "token", key: "", counts: token },
      { caller: "anybody", key: "", counts: anybody },
      { caller: "page", key: "", counts: page },
      ...keys.map(({ name, counts }) => ({ caller: "key", key: name, counts }) as const),
    ];
  }

  #isAllowed({ headers }: RequestHead): boolean {
    const origins = headers.get("origin") ?? [];
    if (this.#cors.includes("*")) return origins.length <= 1;
    return origins.length === 1 && this.#cors.includes(origins[0] ?? "");
  }

  /** The answer to a request that is not let in; undefined: it is. */
  #admit(context: Context, head: RequestHead, scope: Scope | undefined): Response | undefined {
    const secret = bearerIn(head);
    const caller = this.#callerOf(head, secret);
    this.#callers.set(context, caller);
    const counts = this.#countsOf(caller);
    const refusal = this.#refusalOf(caller, scope, secret !== undefined, head, context.req.method);
    if (refusal === undefined) {
      counts.allowed++;
      return undefined;
    }
    const name = caller.kind === "key" ? { key: caller.key.name } : {};
    return this.#refuse(context, refusal, counts, { caller: caller.kind, ...name });
  }

  #countsOf(caller: Caller): AccessCounts {
    return caller.kind === "key" ? caller.key.counts : this.#counts[caller.kind];
  }

  #callerOf(head: RequestHead, secret: string | undefined): Caller {
    const { keys, token } = this.#options;
    const holder = secret === undefined ? undefined : this.#holderOf(secret);
    if (holder !== undefined) return holder;
    if (!isFromThisMachine(head)) return { kind: "anybody", scopes: this.#open };
    if (keys !== undefined) return { kind: "local", scopes: none };
    return { kind: "local", scopes: token?.endsTrust === true ? this.#open : all };
  }

  #holderOf(secret: string): Caller | undefined {
    const { keys } = this.#options;
    if (this.#token !== undefined && timingSafeEqual(sha256Of(secret), this.#token))
      return { kind: "token", scopes: all };
    const key = keys === undefined ? undefined : keyAmong(keys(), secret);
    return key === undefined ? undefined : { kind: "key", key, scopes: key.scopes };
  }

  #refusalOf(
    caller: Caller,
    scope: Scope | undefined,
    hasSecret: boolean,
    head: RequestHead,
    method: string,
  ): Refusal | undefined {
    const { keys, token, questionsCost = false } = this.#options;
    if (scope === undefined) return undefined;
    if (!caller.scopes.has(scope)) {
      if (caller.kind === "key") return { status: 403, why: `the API key has no scope ${scope}` };
      if (keys !== undefined)
        return { status: 401, why: `an API key with the scope ${scope} or the admin token is needed` };
      if (token?.endsTrust === true || hasSecret) return { status: 401, why: "a bearer token is needed" };
      const why = "allowed only for programs on this machine; set --admin-token to allow others";
      return { status: 403, why };
    }
    if (caller.kind === "anybody" && questionsCost && method !== "POST" && hasPublicName(head)) {
      const host = shown(head.headers.get("host")?.[0] ?? "");
      const why = `a page whose name leads to this machine could ask; --cors https://${host} allows that name`;
      if (!this.#cors.some((each) => each === "*" || each.endsWith(`//${host}`))) return { status: 403, why };
    }
    const waitMs = caller.kind === "key" ? caller.key.admit(this.#nowMs()) : 0;
    if (waitMs === 0) return undefined;
    return { status: 429, why: "the rate of the API key is used up", retryAfterMs: waitMs };
  }

  #refuse(
    context: Context,
    { status, why, retryAfterMs }: Refusal,
    counts: AccessCounts,
    who: Readonly<Record<string, string>>,
  ): Response {
    counts[status === 429 ? "limited" : "denied"]++;
    this.#warn({ ...who, status }, why);
    if (status === 401) context.header("WWW-Authenticate", "Bearer");
    if (retryAfterMs !== undefined) context.header("Retry-After", String(Math.ceil(retryAfterMs / 1_000)));
    // The body is not read, so the connection cannot be used again.
    if (context.req.method !== "GET" && context.req.method !== "HEAD") context.header("Connection", "close");
    return context.json({ error: `${context.req.method} ${shown(context.req.path)}: ${why}` }, status);
  }

  /** One line in ten seconds, however many come. */
  #warn(who: object, why: string): void {
    const nowMs = this.#nowMs();
    this.#unsaid++;
    if (nowMs - this.#warnedAtMs < warnEveryMs) return;
    this.#options.log?.warn({ ...who, requests: this.#unsaid }, `refused: ${shown(why)}`);
    this.#warnedAtMs = nowMs;
    this.#unsaid = 0;
  }
}

/** The name of a caller's API key; undefined when there is none. */
export function keyNameOf(caller: Caller | undefined): string | undefined {
  return caller?.kind === "key" ? caller.key.name : undefined;
}

/** Counts the rows of a request for the rate of its caller's API key. */
export function countRowsOf(caller: Caller | undefined, rows: number): void {
  if (caller?.kind === "key") caller.key.countRows(rows);
}

/** The one bearer token of a request; two are none. */
function bearerIn({ headers }: RequestHead): string | undefined {
  const [given = "", ...others] = headers.get("authorization") ?? [];
  return others.length > 0 ? undefined : /^Bearer +([^ ].*)$/i.exec(given)?.[1];
}

const noCounts = (): AccessCounts => ({ allowed: 0, denied: 0, limited: 0 });

/** What a caller sent, short enough for an answer. */
function shown(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`;
}
