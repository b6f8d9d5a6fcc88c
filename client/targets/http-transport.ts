/** V2 over plain HTTP: our edge server, Triton, KServe, or a function behind an HTTP trigger. */
import { Pool } from "undici";
import type { WireBody } from "../../protocol/message.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { SpillwayError } from "../errors.ts";
import type { Transport } from "./transport.ts";

/** What a call costs by the time it took; for servers that are billed. */
export type CostOf = (durationMs: number) => number;

export interface HttpTransportOptions {
  /** Such as `http://192.168.1.20:8000`; a path before `/v2` is kept. */
  readonly url: string;
  /** Most connections at once. */
  readonly connections: number;
  readonly costOf?: CostOf;
}

export interface HttpReply {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface HttpTransport extends Transport {
  /** GET a V2 path such as `/v2/models/m`; the reply as it came. Rejects with a SpillwayError. */
  get(path: string, timeoutMs: number): Promise<HttpReply>;
  /** POST an empty JSON object to a V2 path such as `/v2/repository/index`, likewise. */
  post(path: string, timeoutMs: number): Promise<HttpReply>;
}

const emptyObject = new TextEncoder().encode("{}");

/** @throws TypeError when the URL is none */
export function httpTransport({ url, connections, costOf }: HttpTransportOptions): HttpTransport {
  const { origin, pathname } = new URL(url);
  const prefix = pathname.replace(/\/$/, "");
  const pool = new Pool(origin, { connections });

  async function exchange(
    method: "GET" | "POST",
    path: string,
    timeoutMs: number,
    wire?: WireBody,
  ): Promise<{ status: number; wire: WireBody }> {
    try {
      const response = await pool.request({
        method,
        path: prefix + path,
        // A whole number is all that it takes.
        signal: AbortSignal.timeout(Math.ceil(timeoutMs)),
        ...(wire === undefined ? {} : { body: wire.body, headers: wireHeaders(wire) }),
      });
      const body = await response.body.arrayBuffer();
      return { status: response.statusCode, wire: toWireBody(response.headers[headerLength], body) };
    } catch (error) {
      throw faultOf(error as Error, origin, timeoutMs);
    }
  }

  return {
    call: async (model, wire, timeoutMs) => {
      const startedAtMs = performance.now();
      const path = `/v2/models/${encodeURIComponent(model)}/infer`;
      const reply = await exchange("POST", path, timeoutMs, wire);
      return { ...reply, coldStartMs: 0, cost: costOf?.(performance.now() - startedAtMs) ?? 0 };
    },
    get: async (path, timeoutMs) => {
      const { status, wire } = await exchange("GET", path, timeoutMs);
      return { status, body: wire.body };
    },
    post: async (path, timeoutMs) => {
      const { status, wire } = await exchange("POST", path, timeoutMs, { body: emptyObject });
      return { status, body: wire.body };
    },
    close: () => pool.destroy(),
  };
}

function faultOf(error: Error, origin: string, timeoutMs: number): SpillwayError {
  const cause = { cause: error };
  if (error.name === "TimeoutError") {
    return new SpillwayError(
      "target_timeout",
      `${origin} did not answer within ${Math.ceil(timeoutMs)} ms`,
      cause,
    );
  }
  return new SpillwayError("target_unreachable", `${origin}: ${error.message}`, cause);
}
