/**
 * V2 inference over HTTP as a load generator needs it: a body goes out, a body or a kind of failure comes back.
 * Bodies are made before the load starts and nothing is decoded, because the generator's own time is part of what it
 * measures.
 */
import { errors, Pool } from "undici";
import { authHeaders, type HttpAuth } from "../../client/transports/http-auth.ts";
import { Lru } from "../../base/memory/lru.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { InferRequest, WireBody } from "../../protocol/message.ts";
import { stackRequests } from "../../protocol/stack.ts";
import { mostErrorBytes, readReply, usualAnswerBytes } from "../../client/transports/reply-body.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";

/** How one call ended. */
export type CallerReply =
  | { readonly kind: "answered"; readonly wire: WireBody }
  /** `reason` is one of few, for counting; `why` is for a person. */
  | { readonly kind: "failed"; readonly reason: string; readonly why: string };

export interface V2Caller {
  send(wire: WireBody): Promise<CallerReply>;
  close(): Promise<void>;
}

export interface V2CallerOptions {
  /** The V2 server, such as `http://127.0.0.1:8000`; a path before `/v2` is kept. */
  readonly url: string;
  readonly model: string;
  /** Most connections at once; further calls wait for one. */
  readonly connections: number;
  /** Default: none. */
  readonly auth?: HttpAuth;
}

/** A call is given up after this silence of the server, in milliseconds. */
const silenceMs = 30_000;
/** Longest time from the first to the last byte of an answer, in milliseconds. */
const longestAnswerMs = 120_000;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  UND_ERR_SOCKET: "reset",
  UND_ERR_CONNECT_TIMEOUT: "timeout",
  UND_ERR_HEADERS_TIMEOUT: "timeout",
  UND_ERR_BODY_TIMEOUT: "timeout",
};

/** @throws TypeError when the URL is invalid */
export function createV2Caller({
  url,
  model,
  connections,
  auth = { kind: "none" },
}: V2CallerOptions): V2Caller {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, headersTimeout: silenceMs, bodyTimeout: silenceMs });
  const path = `${pathname.replace(/\/$/, "")}/v2/models/${encodeURIComponent(model)}/infer`;
  return {
    send: async (wire) => {
      let timer: NodeJS.Timeout | undefined;
      try {
        const { statusCode, headers, body } = await pool.request({
          method: "POST",
          path,
          headers: { ...wireHeaders(wire), ...authHeaders(auth, "POST", path, Date.now()) },
          body: wire.body,
        });
        timer = setTimeout(() => body.destroy(new errors.BodyTimeoutError()), longestAnswerMs);
        if (statusCode === 200) {
          const bytes = await readReply(body, headers, { mostBytes: usualAnswerBytes });
          return { kind: "answered", wire: toWireBody(headers[headerLength], bytes) };
        }
        const refusal = await readReply(body, headers, { mostBytes: mostErrorBytes, isCut: true });
        const text = new TextDecoder().decode(refusal.subarray(0, 1_000));
        return { kind: "failed", reason: `status ${statusCode}`, why: `status ${statusCode}: ${text}` };
      } catch (error) {
        const { code = "", name, message } = error as NodeJS.ErrnoException;
        return { kind: "failed", reason: reasons[code] ?? (code || name), why: message };
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => pool.destroy(),
  };
}

/** Most larger bodies that are kept, one of each size. */
const mostSizes = 64;

/** The bodies that a load sends, in turn. */
export class BodyCycle {
  readonly #requests: readonly InferRequest[];
  readonly #bodies: readonly WireBody[];
  readonly #larger = new Lru<number, WireBody>(mostSizes);
  #next = 0;

  /** @param requests one or more, each of one row, that may share a batch */
  constructor(requests: readonly InferRequest[]) {
    if (requests.length === 0) throw new RangeError("requests has 0 entries; allowed: 1 or more");
    this.#requests = requests;
    this.#bodies = requests.map((request) => encodeInferRequest(request, { binary: true }));
  }

  /** Mean size of a body of one row. */
  get meanBytes(): number {
    return this.#bodies.reduce((sum, { body }) => sum + body.byteLength, 0) / this.#bodies.length;
  }

  /** @param rows 1 or more */
  next(rows: number): WireBody {
    if (rows > 1) return this.#ofRows(rows);
    const body = this.#bodies[this.#next] as WireBody;
    this.#next = (this.#next + 1) % this.#bodies.length;
    return body;
  }

  #ofRows(rows: number): WireBody {
    const kept = this.#larger.get(rows);
    if (kept !== undefined) return kept;
    const parts = Array.from({ length: rows }, (_, row) => this.#requests[row % this.#requests.length]);
    const body = encodeInferRequest(stackRequests(parts as InferRequest[]), { binary: true });
    this.#larger.set(rows, body);
    return body;
  }
}
