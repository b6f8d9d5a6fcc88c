/**
 * One V2 inference over HTTP as a load generator sees it: a body goes out, a body or a kind of failure comes back.
 * Nothing is decoded here, because the generator's own time is part of what it measures.
 */
import { Pool } from "undici";
import type { WireBody } from "../../protocol/message.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";

/** How one call went. */
export type Exchanged =
  | { readonly kind: "answered"; readonly wire: WireBody }
  /** `reason` is one of few, to be counted by; `why` is for a person. */
  | { readonly kind: "failed"; readonly reason: string; readonly why: string };

export interface Exchange {
  send(wire: WireBody): Promise<Exchanged>;
  close(): Promise<void>;
}

export interface ExchangeOptions {
  /** Of the V2 server, such as `http://127.0.0.1:8000`; a path before `/v2` is kept. */
  readonly url: string;
  readonly model: string;
  /** Most connections at once; calls beyond them wait for one. */
  readonly connections: number;
}

/** Longest silence of a server before a call is given up, in milliseconds. */
const silenceMs = 30_000;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  UND_ERR_SOCKET: "reset",
  UND_ERR_CONNECT_TIMEOUT: "timeout",
  UND_ERR_HEADERS_TIMEOUT: "timeout",
  UND_ERR_BODY_TIMEOUT: "timeout",
};

/** @throws TypeError when the URL is none */
export function createExchange({ url, model, connections }: ExchangeOptions): Exchange {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, headersTimeout: silenceMs, bodyTimeout: silenceMs });
  const path = `${pathname.replace(/\/$/, "")}/v2/models/${encodeURIComponent(model)}/infer`;
  return {
    send: async (wire) => {
      try {
        const { statusCode, headers, body } = await pool.request({
          method: "POST",
          path,
          headers: wireHeaders(wire),
          body: wire.body,
        });
        const answer = toWireBody(headers[headerLength], await body.arrayBuffer());
        if (statusCode === 200) return { kind: "answered", wire: answer };
        const text = new TextDecoder().decode(answer.body.subarray(0, 1_000));
        return { kind: "failed", reason: `status ${statusCode}`, why: `status ${statusCode}: ${text}` };
      } catch (error) {
        const { code = "", name, message } = error as NodeJS.ErrnoException;
        return { kind: "failed", reason: reasons[code] ?? (code || name), why: message };
      }
    },
    close: () => pool.destroy(),
  };
}
