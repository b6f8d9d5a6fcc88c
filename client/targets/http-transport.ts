/**
 * V2 over plain HTTP: our edge server, Triton, KServe, or a function that has a URL of its own (Function Compute's HTTP
 * trigger, Knative, Cloud Run, OpenFaaS).
 */
import { Pool } from "undici";
import { ProtocolError } from "../../protocol/errors.ts";
import type { WireBody } from "../../protocol/message.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { SpillwayError } from "../errors.ts";
import { authHeaders, type HttpAuth, secretsOf } from "./http-auth.ts";
import { redactor, withoutSecrets } from "./redact.ts";
import { billedOf, coldStartOf, durationOf, MetInstances, type ReplyHeaders } from "./reply-facts.ts";
import { type Transport, UnsentFailure } from "./transport.ts";
import { isUnconnected } from "./unconnected.ts";

/** What a call costs by the time it took; for servers that are billed. */
export type CostOf = (durationMs: number, coldStartMs: number) => number;

export interface HttpTransportOptions {
  /** Such as `http://192.168.1.20:8000`; a path before `/v2` is kept. */
  readonly url: string;
  /** Most connections at once. */
  readonly connections: number;
  /** How calls prove who sends them; undefined: not at all. */
  readonly auth?: HttpAuth;
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

/** Statuses with which a platform refuses a call that it does not charge. */
const uncharged = new Set([401, 403, 429, 503]);

/** @throws TypeError when the URL is none */
export function httpTransport(options: HttpTransportOptions): HttpTransport {
  const { url, connections, costOf, auth = { kind: "none" } } = options;
  const { origin, pathname } = new URL(url);
  const prefix = pathname.replace(/\/$/, "");
  const redacted = redactor(secretsOf(auth));
  const met = new MetInstances();
  // Each call has its own time, which bounds the headers and the body alike.
  const pool = new Pool(origin, { connections, headersTimeout: 0, bodyTimeout: 0 });

  async function exchange(
    method: "GET" | "POST",
    v2Path: string,
    timeoutMs: number,
    wire?: WireBody,
  ): Promise<{ status: number; headers: ReplyHeaders; wire: WireBody }> {
    const path = prefix + v2Path;
    const proof = authHeaders(auth, method, path, Date.now());
    try {
      const response = await pool.request({
        method,
        path,
        // A whole number is all that it takes.
        signal: AbortSignal.timeout(Math.ceil(timeoutMs)),
        ...(wire === undefined
          ? { headers: proof }
          : { body: wire.body, headers: { ...wireHeaders(wire), ...proof } }),
      });
      const { statusCode: status, headers } = response;
      const body = await response.body.arrayBuffer();
      if (status === 200) return { status, headers, wire: toWireBody(headers[headerLength], body) };
      return { status, headers, wire: { body: withoutSecrets(new Uint8Array(body), redacted) } };
    } catch (error) {
      throw faultOf(error as Error, origin, timeoutMs);
    }
  }

  return {
    call: async (model, wire, timeoutMs) => {
      const startedAtMs = performance.now();
      const path = `/v2/models/${encodeURIComponent(model)}/infer`;
      const { status, headers, wire: answer } = await exchange("POST", path, timeoutMs, wire);
      const tookMs = performance.now() - startedAtMs;
      const coldStartMs = coldStartOf(headers, met);
      const durationMs = durationOf(headers);
      let cost = 0;
      if (costOf !== undefined && !uncharged.has(status)) {
        cost = costOf(billedOf(headers) ?? serviceIn(answer) ?? tookMs, coldStartMs ?? 0);
      }
      return { status, wire: answer, durationMs, coldStartMs, cost };
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

/** How long the model ran and waited, as our own server says in its answer; undefined for any other answer. */
function serviceIn({ body, headerBytes }: WireBody): number | undefined {
  try {
    const { parameters } = JSON.parse(new TextDecoder().decode(body.subarray(0, headerBytes))) as {
      parameters?: Record<string, unknown>;
    };
    const [service, queued] = [parameters?.["spillway_service_ms"], parameters?.["spillway_queued_ms"] ?? 0];
    return typeof service === "number" && typeof queued === "number" && service >= 0 && queued >= 0
      ? service + queued
      : undefined;
  } catch {
    return undefined;
  }
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
  if (isUnconnected(error)) return new UnsentFailure("target_unreachable", `${origin}: ${error.message}`);
  const code = error instanceof ProtocolError ? "target_fault" : "target_unreachable";
  return new SpillwayError(code, `${origin}: ${error.message}`, cause);
}
