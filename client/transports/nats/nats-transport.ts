/** V2 over NATS, to an edge that joined: the same paths, header fields and bodies as over HTTP, and no port at the edge. */
import { CallClient, type CallEngine, NatsCallFault } from "../../../base/nats/call-client.ts";
import type { CallMessage } from "../../../base/nats/call-message.ts";
import { SpillwayError } from "../../../base/errors.ts";
import { inOnePiece } from "../../../protocol/decode.ts";
import { bodyPieces, type WireBody } from "../../../protocol/message.ts";
import { modelPath } from "../../../protocol/model-path.ts";
import { traceHeaders } from "../../../protocol/trace-context.ts";
import { headerLength, toWireBody, wireHeaders } from "../../../protocol/v2-http.ts";
import { authHeaders, type HttpAuth, secretsOf } from "../http-auth.ts";
import type { HttpReply, HttpTransport } from "../http-transport.ts";
import { mostMetadataBytes, usualAnswerBytes } from "../reply-body.ts";
import { durationOf, retryAfterOf } from "../reply-facts.ts";
import { answerFault } from "../reply-fault.ts";
import { redactor, withoutSecrets } from "../reply-text.ts";
import { noTimeLeft, NotSentFailure } from "../transport.ts";

export interface NatsTransportOptions {
  readonly engine: CallEngine;
  /** Where calls of a path are taken. */
  readonly subject: string | ((path: string) => string);
  /** Of the edge, for messages. */
  readonly name: string;
  readonly auth?: HttpAuth;
  /** Most bytes of an answer. Default: 64 MiB. */
  readonly mostAnswerBytes?: number;
}

/**
 * @example
 * const transport = natsTransport({ engine, subject: joinedEdges.run("box", epoch), name: "box" });
 * (await transport.get("/v2/health/ready", 1_000)).status; // 200
 */
export function natsTransport(options: NatsTransportOptions): HttpTransport {
  const { engine, subject, name, auth = { kind: "none" }, mostAnswerBytes = usualAnswerBytes } = options;
  const client = new CallClient(engine);
  const subjectOf = typeof subject === "string" ? () => subject : subject;
  const redacted = redactor(secretsOf(auth));

  async function exchange(
    method: "GET" | "POST",
    path: string,
    timeoutMs: number,
    mostBytes: number,
    body: Uint8Array<ArrayBuffer>,
    more: Readonly<Record<string, string>> = {},
  ): Promise<CallMessage & { readonly status: number }> {
    if (!(timeoutMs > 0)) throw noTimeLeft(`${name}: no time was left to call it`);
    const fields = { ...more, ...authHeaders(auth, method, path, Date.now()) };
    try {
      const message = { line: `${method} ${path}`, fields, body };
      const answer = await client.call(subjectOf(path), message, timeoutMs, mostBytes);
      const status = Number(answer.line);
      if (status === 200) return { ...answer, status };
      return { ...answer, status, body: withoutSecrets(answer.body, redacted) };
    } catch (error) {
      throw error instanceof NatsCallFault ? faultOf(error, name) : error;
    }
  }

  const noBody = new Uint8Array(0);
  return {
    call: async (model, wire, timeoutMs, _permit, trace) => {
      const fields = { ...wireHeaders(wire), ...traceHeaders(trace) };
      const path = `${modelPath(model)}/infer`;
      const body = inOnePiece(bodyPieces(wire)) as Uint8Array<ArrayBuffer>;
      const reply = await exchange("POST", path, timeoutMs, mostAnswerBytes, body, fields);
      return {
        status: reply.status,
        wire: wireOf(reply),
        durationMs: durationOf(reply.fields),
        coldStartMs: 0,
        mayHaveStarted: false,
        cost: 0,
        retryAfterMs: retryAfterOf(reply.fields, Date.now()),
      };
    },
    get: async (path, timeoutMs, mostBytes = mostMetadataBytes) =>
      replyOf(await exchange("GET", path, timeoutMs, mostBytes, noBody)),
    post: async (path, timeoutMs, body = {}, { authorization, mostBytes = mostMetadataBytes } = {}) => {
      const bytes = new TextEncoder().encode(JSON.stringify(body));
      const fields = authorization === undefined ? {} : { authorization };
      return replyOf(await exchange("POST", path, timeoutMs, mostBytes, bytes, fields));
    },
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}

function replyOf(reply: CallMessage & { readonly status: number }): HttpReply {
  const { headerBytes } = reply.status === 200 ? wireOf(reply) : {};
  return {
    status: reply.status,
    body: reply.body,
    ...(headerBytes !== undefined && { headerBytes }),
    coldStartMs: 0,
  };
}

function wireOf({ status, fields, body }: CallMessage & { readonly status: number }): WireBody {
  if (status !== 200) return { body };
  try {
    return toWireBody(fields[headerLength], body.buffer);
  } catch (error) {
    throw answerFault(error);
  }
}

function faultOf({ kind, message, mayHaveCome }: NatsCallFault, name: string): SpillwayError {
  const text = `${name} over NATS: ${message}`;
  switch (kind) {
    case "nobody":
    case "connection":
      return mayHaveCome
        ? new SpillwayError("target_unreachable", text)
        : new NotSentFailure("target_unreachable", text);
    case "timeout":
      return new SpillwayError("target_timeout", text);
    case "too-long":
      return new SpillwayError("target_fault", text);
  }
}
