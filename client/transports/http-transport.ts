/**
 * V2 over plain HTTP: our edge server, Triton, KServe, or a function that has a URL of its own (Function Compute's HTTP
 * trigger, Knative, Cloud Run, OpenFaaS).
 */
import Pool from "undici/lib/dispatcher/pool.js";
import { bodyPieces, type WireBody, type WireParts } from "../../protocol/message.ts";
import { modelPath } from "../../protocol/model-path.ts";
import { traceHeaders } from "../../protocol/trace-context.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { SpillwayError } from "../../base/errors.ts";
import { serverAddress } from "../../base/program/server-address.ts";
import { authHeaders, type HttpAuth, secretsOf } from "./http-auth.ts";
import { mostErrorBytes, mostMetadataBytes, usualAnswerBytes } from "./reply-body.ts";
import type { ReplyRoom } from "./reply-room.ts";
import { redactor, withoutSecrets } from "./reply-text.ts";
import {
  billedOf,
  coldStartOf,
  durationOf,
  mayHaveStarted,
  type ReplyHeaders,
  retryAfterOf,
  SeenInstances,
} from "./reply-facts.ts";
import { callPool, type PoolReply } from "./pool-call.ts";
import { answerFault, chargeOf, replyFault } from "./reply-fault.ts";
import { BilledFailure, noTimeLeft, NotSentFailure, type Transport, wasNeverConnected } from "./transport.ts";

/** What a call costs by the time that it took; for servers that are billed. */
export type CostOf = (durationMs: number, coldStartMs: number) => number;

export interface HttpTransportOptions {
  /** Such as `http://192.168.1.20:8000`; a path before `/v2` is kept, and `/v2` may be at the end. */
  readonly url: string;
  /** Most connections at once. */
  readonly connections: number;
  /** How calls prove who sends them. Default: not at all. */
  readonly auth?: HttpAuth;
  /** Default: calls cost nothing. */
  readonly costOf?: CostOf;
  /** Longest time until a connection is there, in milliseconds, above 0. Default: 3 s. */
  readonly connectTimeoutMs?: number;
  /** Most bytes of an answer; the call of a longer one fails, and its connection is closed. Default: 64 MiB. */
  readonly mostAnswerBytes?: number;
  /** Shared with other transports. */
  readonly room?: ReplyRoom | undefined;
  /** Told that no connection for calls is left: another server may answer the next one. */
  readonly onGone?: () => void;
}

export interface HttpReply {
  readonly status: number;
  readonly body: Uint8Array;
  /** Bytes of the JSON before binary data, where the reply says it. */
  readonly headerBytes?: number;
  /** How long an instance of a function took to start for it, as in `TransportReply`. */
  readonly coldStartMs?: number | undefined;
}

export interface PostOptions {
  readonly authorization?: string | undefined;
  readonly mostBytes?: number;
}

export interface HttpTransport extends Transport {
  /**
   * GET a V2 path such as `/v2/models/m`; the reply as it came. Rejects with a SpillwayError.
   *
   * @param mostBytes of the reply; a longer one is a fault. Default: 1 MiB
   */
  get(path: string, timeoutMs: number, mostBytes?: number): Promise<HttpReply>;
  /**
   * POST a JSON object to a V2 path such as `/v2/repository/index`, likewise.
   *
   * @param more `authorization` is the caller's own proof, where the server is to check it; `mostBytes` as in `get`
   */
  post(path: string, timeoutMs: number, body?: object, more?: PostOptions): Promise<HttpReply>;
}

/** Most questions at once. They have connections of their own, because some servers take seconds to answer one. */
const questionsAtOnce = 8;
/** A server that takes no connection is not there, long before a call would have to be given up. */
const usualConnectTimeoutMs = 3_000;
/** Of an error, its beginning is enough. */
const ofErrors = { mostBytes: mostErrorBytes, isCut: true };

/**
 * A transport to one V2 server.
 *
 * @example
 * const transport = httpTransport({ url: "http://127.0.0.1:8000", connections: 4 });
 * (await transport.get("/v2/health/ready", 1_000)).status; // 200
 * await transport.close();
 *
 * @throws TypeError when the URL is none
 */
export function httpTransport(options: HttpTransportOptions): HttpTransport {
  const { url, connections, costOf, onGone, auth = { kind: "none" } } = options;
  const { connectTimeoutMs = usualConnectTimeoutMs, mostAnswerBytes = usualAnswerBytes, room } = options;
  const { origin, pathname } = new URL(serverAddress(url));
  const prefix = pathname.replace(/\/$/, "");
  const redacted = redactor(secretsOf(auth));
  const seen = new SeenInstances();
  // Each call has its own timeout, for headers and body together.
  const noLimits = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: connectTimeoutMs } };
  const calls = new Pool(origin, { connections, ...noLimits });
  calls.on("disconnect", () => {
    if (calls.stats.connected === 0) onGone?.();
  });
  const questions = new Pool(origin, { connections: questionsAtOnce, ...noLimits });

  const late = (pool: Pool, timeoutMs: number, isSent: boolean): SpillwayError =>
    isSent
      ? new SpillwayError("target_timeout", `${origin} did not answer within ${Math.ceil(timeoutMs)} ms`)
      : notSentInTime(pool, origin, timeoutMs);

  async function exchange(
    pool: Pool,
    method: "GET" | "POST",
    v2Path: string,
    timeoutMs: number,
    mostBytes: number,
    wire?: WireBody | WireParts,
    more: Readonly<Record<string, string>> = {},
  ): Promise<PoolReply> {
    const path = prefix + v2Path;
    try {
      if (!(timeoutMs > 0)) throw noTimeLeft(`${origin}: no time was left to call it`);
      const headers: string[] = [];
      if (wire !== undefined) addFields(headers, wireHeaders(wire));
      if (auth.kind !== "none") addFields(headers, authHeaders(auth, method, path, Date.now()));
      addFields(headers, more);
      const reply = await callPool(pool, {
        method,
        path,
        headers,
        body: wire && bodyPieces(wire),
        timeoutMs,
        late: (isSent) => late(pool, timeoutMs, isSent),
        boundsOf: (status, { location }) =>
          status === 200 ? { mostBytes, room } : (redirectIn(location, status) ?? ofErrors),
      });
      // Secrets are taken out of what may be shown.
      return reply.status === 200 ? reply : { ...reply, body: withoutSecrets(reply.body, redacted) };
    } catch (error) {
      throw faultOf(error as Error, origin);
    }
  }

  return {
    call: async (model, wire, timeoutMs, _permit, trace) => {
      const startedAtMs = performance.now();
      const path = `${modelPath(model)}/infer`;
      const reply = await exchange(
        calls,
        "POST",
        path,
        timeoutMs,
        mostAnswerBytes,
        wire,
        traceHeaders(trace),
      );
      const tookMs = performance.now() - startedAtMs;
      const { status, headers } = reply;
      const coldStartMs = coldStartOf(headers, seen);
      const charge = costOf === undefined ? "none" : chargeOf({ status, wire: reply });
      if (charge === "unknown") throw replyFault({ status, wire: reply });
      const isBilled = costOf !== undefined && charge === "time";
      const cost = isBilled ? costOfTime(costOf, headers, tookMs, coldStartMs) : 0;
      return {
        status,
        wire: wireOf(reply, cost),
        durationMs: durationOf(headers),
        coldStartMs,
        mayHaveStarted: isBilled && mayHaveStarted(headers, coldStartMs),
        cost,
        retryAfterMs: retryAfterOf(headers, Date.now()),
      };
    },
    get: async (path, timeoutMs, mostBytes = mostMetadataBytes) => {
      const { status, body, headers } = await exchange(questions, "GET", path, timeoutMs, mostBytes);
      const { headerBytes } = status === 200 ? wireOf({ status, body, headers }, 0) : {};
      const binary = headerBytes === undefined ? {} : { headerBytes };
      return { status, body, ...binary, coldStartMs: coldStartOf(headers, seen) };
    },
    post: (path, timeoutMs, body = {}, { authorization, mostBytes = mostMetadataBytes } = {}) => {
      const wire = { body: new TextEncoder().encode(JSON.stringify(body)) };
      return exchange(
        questions,
        "POST",
        path,
        timeoutMs,
        mostBytes,
        wire,
        authorization === undefined ? {} : { authorization },
      );
    },
    close: async () => {
      await Promise.all([calls.destroy(), questions.destroy()]);
    },
  };
}

/** Where all connections were in use, that says nothing of the server. */
function notSentInTime({ stats }: Pool, origin: string, timeoutMs: number): NotSentFailure {
  const ms = Math.ceil(timeoutMs);
  if (stats.connected > 0) return noTimeLeft(`${origin}: no connection was free within ${ms} ms`);
  return new NotSentFailure("target_timeout", `${origin} took no connection within ${ms} ms`);
}

/** What is said of a redirection, which is not followed: calls are not sent to another address than the given one. */
function redirectIn(location: ReplyHeaders[string], status: number): Uint8Array | undefined {
  if (status < 300 || status >= 400 || typeof location !== "string") return undefined;
  return new TextEncoder().encode(`redirected to ${location}; give that address where it is right`);
}

/**
 * The cost by the time that the platform bills, else by all the time that we waited: the time that a server measures
 * of its model leaves out the decoding of the call and the start of the instance.
 */
function costOfTime(costOf: CostOf, headers: ReplyHeaders, tookMs: number, coldStartMs = 0): number {
  const billedMs = billedOf(headers);
  return billedMs === undefined ? costOf(tookMs, 0) : costOf(billedMs, coldStartMs);
}

/** The V2 message in a reply. It is paid for even when it cannot be read. */
function wireOf({ status, headers, body }: PoolReply, cost: number): WireBody {
  if (status !== 200) return { body };
  try {
    return toWireBody(headers[headerLength], body);
  } catch (error) {
    const { code, message } = answerFault(error);
    throw new BilledFailure(code, message, cost);
  }
}

function faultOf(error: Error, origin: string): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const message = `${origin}: ${error.message}`;
  if (wasNeverConnected(error)) return new NotSentFailure("target_unreachable", message);
  return new SpillwayError("target_unreachable", message, { cause: error });
}

function addFields(headers: string[], fields: Readonly<Record<string, string>>): void {
  for (const name in fields) headers.push(name, fields[name] as string);
}
