/**
 * V2 over gRPC: Triton, KServe, or our own edge server. It takes and gives what the transport over HTTP does, so that
 * nobody above it has to know which of them it is.
 */
import type { Metadata, ServiceError } from "@grpc/grpc-js";
import { loadPackage } from "../../../base/optional-package.ts";
import { SpillwayError } from "../../../base/errors.ts";
import { decodeInferRequest } from "../../../protocol/decode.ts";
import { encodeInferResponse } from "../../../protocol/encode.ts";
import {
  fromGrpcResponse,
  type GrpcInferResponse,
  toGrpcRequest,
} from "../../../protocol/grpc/grpc-infer.ts";
import { grpcCodes, httpStatusOf } from "../../../protocol/grpc/grpc-status.ts";
import { questionOf, questions, type V2Request } from "../../../protocol/grpc/questions.ts";
import { type GrpcMethod, type Message, openSchema } from "../../../protocol/grpc/schema.ts";
import { bodyPieces, type WireBody } from "../../../protocol/message.ts";
import { traceHeaders } from "../../../protocol/trace-context.ts";
import { versionedModel } from "../../../protocol/model-path.ts";
import { type HttpAuth, secretsOf } from "../http-auth.ts";
import type { HttpReply, HttpTransport, HttpTransportOptions } from "../http-transport.ts";
import { usualAnswerBytes } from "../reply-body.ts";
import { retryAfterOf } from "../reply-facts.ts";
import { answerFault } from "../reply-fault.ts";
import { redactor } from "../reply-text.ts";
import { noTimeLeft, NotSentFailure } from "../transport.ts";
import { GrpcConnection } from "./grpc-connection.ts";

/** As of a transport over HTTP; one connection carries all calls, and nothing is billed. */
export type GrpcTransportOptions = Omit<HttpTransportOptions, "connections" | "costOf" | "room">;

const usualConnectTimeoutMs = 3_000;
/** How soon a server that was away is tried again: a call before that fails at once. */
const reconnectMs = { first: 100, longest: 1_000 };
/** What the library says when there was no connection to send a call over. */
const neverConnected = /^(No connection established|Name resolution failed|Resolution note)/;
/** What it says when the connection ended before the answer. */
const brokenOff =
  /^(Connection dropped|Stream refused by server|Received RST_STREAM|Call ended without|The server closed)|ECONN|EPIPE|socket hang up/;
const tooLong = /^Received message larger than max/;

/** An error of a call that its server, or the way there, answered with. */
interface Refused {
  readonly status: number;
  readonly body: Uint8Array;
  readonly retryAfterMs: number | undefined;
}

/**
 * A transport to one V2 server over gRPC.
 *
 * @example
 * const transport = grpcTransport({ url: "grpc://127.0.0.1:8001" });
 * (await transport.get("/v2/health/ready", 1_000)).status; // 200
 * await transport.close();
 *
 * @throws UsageError when the packages for gRPC are not installed
 */
export function grpcTransport(options: GrpcTransportOptions): HttpTransport {
  const { url, auth = { kind: "none" }, onGone, connectTimeoutMs = usualConnectTimeoutMs } = options;
  const { mostAnswerBytes = usualAnswerBytes } = options;
  const grpc = loadPackage("@grpc/grpc-js", "an edge with grpc://");
  const { methods } = openSchema();
  const { protocol, host } = new URL(url);
  const client = new grpc.Client(
    host,
    protocol === "grpcs:" ? grpc.credentials.createSsl() : grpc.credentials.createInsecure(),
    {
      "grpc.max_receive_message_length": mostAnswerBytes,
      "grpc.max_send_message_length": -1,
      // The queue repeats calls where that makes sense.
      "grpc.enable_retries": 0,
      "grpc.initial_reconnect_backoff_ms": reconnectMs.first,
      "grpc.max_reconnect_backoff_ms": reconnectMs.longest,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_channelz": 0,
    },
  );
  const redacted = redactor(secretsOf(auth));
  const connection = new GrpcConnection(client, grpc.connectivityState, onGone);

  /** The answer to a message, or the error that came instead. */
  async function exchange(
    name: string,
    message: Message,
    timeoutMs: number,
    proof: Metadata,
  ): Promise<Message | Refused> {
    const method = methods.get(name) as GrpcMethod;
    const untilMs = Date.now() + timeoutMs;
    if (!(timeoutMs > 0)) throw noTimeLeft(`${url}: no time was left to call it`);
    await connection.open(url, Math.min(timeoutMs, connectTimeoutMs));
    return new Promise((resolve, reject) => {
      const { path, request, response } = method;
      client.makeUnaryRequest(
        path,
        request.write,
        response.read,
        message,
        proof,
        { deadline: untilMs },
        (error, answer) => {
          if (error === null && answer !== undefined) return resolve(answer);
          try {
            resolve(refusalOf(error as ServiceError, { url, timeoutMs, mostAnswerBytes, redacted }));
          } catch (fault) {
            reject(fault);
          }
        },
      );
    });
  }

  const proofOf = (authorization?: string): Metadata => {
    const metadata = new grpc.Metadata();
    const own = bearerOf(auth) ?? authorization;
    if (own !== undefined) metadata.set("authorization", own);
    return metadata;
  };

  async function ask(request: V2Request, timeoutMs: number, authorization?: string): Promise<HttpReply> {
    const question = questionOf(request);
    if (question === undefined)
      return { status: 404, body: errorBytes(`gRPC has no question for ${request.path}`) };
    const { name, message } = question;
    const { request: asked, response: answered } = methods.get(name) as GrpcMethod;
    const answer = await exchange(name, asked.fromJson(message), timeoutMs, proofOf(authorization));
    if (isRefused(answer)) return answer;
    const { status, json } = (questions[name] as (typeof questions)[string]).asAnswer(
      answered.toJson(answer),
    );
    return { status, body: new TextEncoder().encode(JSON.stringify(json)), coldStartMs: 0 };
  }

  return {
    call: async (model, wire, timeoutMs, _permit, trace) => {
      const message = toGrpcRequest(
        versionedModel(model),
        decodeInferRequest(bodyPieces(wire), wire.headerBytes),
      );
      const metadata = proofOf();
      for (const [name, value] of Object.entries(traceHeaders(trace))) metadata.set(name, value);
      const answer = await exchange("ModelInfer", message, timeoutMs, metadata);
      const facts = { durationMs: undefined, coldStartMs: 0, mayHaveStarted: false, cost: 0 };
      if (isRefused(answer))
        return {
          ...facts,
          status: answer.status,
          wire: { body: answer.body },
          retryAfterMs: answer.retryAfterMs,
        };
      return { ...facts, status: 200, wire: wireOf(answer as GrpcInferResponse) };
    },
    get: (path, timeoutMs) => ask({ method: "GET", path }, timeoutMs),
    post: (path, timeoutMs, body = {}, { authorization } = {}) =>
      ask({ method: "POST", path, body }, timeoutMs, authorization),
    close: async () => {
      connection.close();
      client.close();
    },
  };
}

/** @throws SpillwayError when no answer came */
function refusalOf(
  { code, details, metadata }: Pick<ServiceError, "details" | "metadata"> & { readonly code: number },
  {
    url,
    timeoutMs,
    mostAnswerBytes,
    redacted,
  }: Pick<GrpcTransportOptions, "url"> & {
    readonly timeoutMs: number;
    readonly mostAnswerBytes: number;
    readonly redacted: (text: string) => string;
  },
): Refused {
  const text = redacted(details);
  if (code === grpcCodes.DEADLINE_EXCEEDED && !isOfServer(metadata))
    throw new SpillwayError("target_timeout", `${url} did not answer within ${Math.ceil(timeoutMs)} ms`);
  if (neverConnected.test(details)) throw new NotSentFailure("target_unreachable", `${url}: ${text}`);
  if (brokenOff.test(details)) throw new SpillwayError("target_unreachable", `${url}: ${text}`);
  if (tooLong.test(details) && details.includes(String(mostAnswerBytes)))
    throw new SpillwayError(
      "target_fault",
      `the answer is too long; allowed: at most ${mostAnswerBytes} bytes`,
    );
  const said = (name: string): string | undefined => metadata.get(name)[0]?.toString();
  const reason = said("spillway-reason");
  return {
    status: httpStatusOf(code, details),
    body: errorBytes(text, reason),
    retryAfterMs: retryAfterOf({ "retry-after": said("retry-after") }, Date.now()),
  };
}

/** Whether the status came from the server, with headers of its own. */
function isOfServer(metadata: Metadata): boolean {
  return Object.keys(metadata.getMap()).length > 0;
}

function isRefused(answer: Message | Refused): answer is Refused {
  return "status" in answer && "body" in answer;
}

function errorBytes(error: string, reason?: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ error, ...(reason !== undefined && { reason }) }));
}

/** The answer as it would come over HTTP. */
function wireOf(answer: GrpcInferResponse): WireBody {
  try {
    return encodeInferResponse(fromGrpcResponse(answer), () => true);
  } catch (error) {
    throw answerFault(error);
  }
}

function bearerOf(auth: HttpAuth): string | undefined {
  return auth.kind === "bearer" ? `Bearer ${auth.token}` : undefined;
}
