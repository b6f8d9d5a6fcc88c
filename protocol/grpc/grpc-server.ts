/**
 * gRPC in front of a V2 server. Every call becomes the request over HTTP that means the same and goes through the routes
 * that HTTP callers use, so that rights, bounds, lanes, errors and counts are the same for both.
 *
 *     const door = await openGrpcServer(app, { host: "127.0.0.1", port: 8001, maxMessageBytes, nowUnixMs: Date.now });
 *     await door.close();
 */
import { createServer, type Server as NetServer } from "node:net";
import type { Metadata, sendUnaryData, ServerDuplexStream, ServerUnaryCall } from "@grpc/grpc-js";
import type { Hono } from "hono";
import type { CallBindings } from "../../base/access/request-head.ts";
import { loadPackage } from "../../base/optional-package.ts";
import { decodeInferResponse } from "../decode.ts";
import { encodeInferRequest } from "../encode.ts";
import { ProtocolError } from "../errors.ts";
import { withinHeader } from "../message.ts";
import type { BodyBindings } from "../server/read-body.ts";
import { headerLength } from "../v2-http.ts";
import {
  fromGrpcRequest,
  type GrpcInferRequest,
  type GrpcInferResponse,
  toGrpcResponse,
} from "./grpc-infer.ts";
import { grpcCodeOf, grpcCodes } from "./grpc-status.ts";
import { questions, type V2Answer, type V2Request } from "./questions.ts";
import { type GrpcMethod, type Message, openSchema } from "./schema.ts";

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly maxMessageBytes: number;
  /** The time that deadlines are in, in milliseconds since 1970. */
  readonly nowUnixMs: () => number;
}

export interface GrpcServer {
  readonly port: number;
  /** Takes nothing new, and resolves when every call has its answer. */
  close(): Promise<void>;
}

/** Most calls at once over one connection, and most connections: a message is in memory before it is looked at. */
const mostCalls = 256;
const mostConnections = 1_024;
/** Most requests of one stream that are served at once; then the next are left with the caller. */
const mostOfStream = 64;
/** Longest text of an error: it is sent in a header. */
const longestDetails = 1_000;
/** Headers that are of the transport, or say how a body over HTTP is packed. */
const ofTransport =
  /^(grpc-.*|te|content-type|content-length|content-encoding|accept-encoding|transfer-encoding|connection|host|inference-header-content-length|.*-bin)$/;

type App = Pick<Hono, "fetch">;
type AnyCall = Pick<ServerUnaryCall<Message, Message>, "metadata" | "getPeer" | "getHost" | "getDeadline"> & {
  on(event: "cancelled", listener: () => void): unknown;
};

/**
 * Listens for gRPC, and answers by an app's routes.
 *
 * @throws what `net` says of an address that cannot be listened on
 * @throws UsageError when the packages are not installed
 */
export async function openGrpcServer(app: App, options: GrpcServerOptions): Promise<GrpcServer> {
  const grpc = loadPackage("@grpc/grpc-js", "gRPC");
  const { methods } = openSchema();
  const server = new grpc.Server({
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": mostCalls,
    "grpc.enable_channelz": 0,
  });
  const caller = new Caller(app, options, grpc.Metadata);
  const unary =
    (answer: (call: ServerUnaryCall<Message, Message>) => Promise<Message>) =>
    (call: ServerUnaryCall<Message, Message>, callback: sendUnaryData<Message>): void => {
      answer(call).then(
        (message) => callback(null, message),
        (error: unknown) => callback(caller.failure(error)),
      );
    };
  const serves = (name: string, handler: never): void => {
    const method = methods.get(name) as GrpcMethod;
    server.addService({ [name]: definitionOf(method) }, { [name]: handler });
  };
  serves("ModelInfer", unary((call) => caller.infer(call, call.request as GrpcInferRequest)) as never);
  serves("ModelStreamInfer", ((call: ServerDuplexStream<Message, Message>) => caller.stream(call)) as never);
  serves("Check", unary((call) => caller.check(call, call.request as { readonly service: string })) as never);
  for (const [name, question] of Object.entries(questions)) {
    const { request, response } = methods.get(name) as GrpcMethod;
    const answer = async (call: ServerUnaryCall<Message, Message>): Promise<Message> => {
      const answered = await caller.ask(call, question.asV2(request.toJson(call.request)));
      const message = question.answered(answered);
      if (message === undefined) throw new AnsweredError(answered);
      return response.fromJson(message);
    };
    serves(name, unary(answer) as never);
  }
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const listener = createServer({ noDelay: true }, (socket) => injector.injectConnection(socket));
  listener.maxConnections = mostConnections;
  await listening(listener, options);
  return {
    port: (listener.address() as { readonly port: number }).port,
    close: async () => {
      listener.close();
      injector.destroy();
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    },
  };
}

function definitionOf({ path, request, response, isStream }: GrpcMethod): never {
  return {
    path,
    requestStream: isStream,
    responseStream: isStream,
    requestSerialize: request.write,
    requestDeserialize: request.read,
    responseSerialize: response.write,
    responseDeserialize: response.read,
  } as never;
}

function listening(listener: NetServer, { host, port }: GrpcServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(port, host, () => {
      listener.off("error", reject);
      resolve();
    });
  });
}

/** An answer over HTTP that is an error. */
class AnsweredError extends Error {
  readonly status: number;
  readonly retryAfterS: string | undefined;
  readonly reason: string | undefined;

  constructor({ status, json, retryAfterS }: V2Answer & { readonly retryAfterS?: string | undefined }) {
    const { error, reason } = (json ?? {}) as { readonly error?: unknown; readonly reason?: unknown };
    const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
    // Of what is not ready there is only a reason.
    super(text(error) ?? text(reason) ?? `status ${status}`);
    this.status = status;
    this.retryAfterS = retryAfterS;
    this.reason = text(error) === undefined ? undefined : text(reason);
  }
}

/** Makes the requests of calls. */
class Caller {
  readonly #app: App;
  readonly #options: GrpcServerOptions;
  readonly #Metadata: new () => Metadata;
  /** Aborted when the caller went away or its deadline came. */
  readonly #gone = new WeakMap<AnyCall, AbortSignal>();

  constructor(app: App, options: GrpcServerOptions, MetadataClass: new () => Metadata) {
    this.#app = app;
    this.#options = options;
    this.#Metadata = MetadataClass;
  }

  async infer(call: AnyCall, message: GrpcInferRequest): Promise<GrpcInferResponse> {
    const { model_name: name, model_version: version } = message;
    if (name === "") throw new ProtocolError("model_name is empty; allowed: the name of a model");
    const { body, headerBytes } = encodeInferRequest(fromGrpcRequest(message), { binary: true });
    const inVersion = version === "" ? "" : `/versions/${encodeURIComponent(version)}`;
    const response = await this.#fetch(
      call,
      { method: "POST", path: `/v2/models/${encodeURIComponent(name)}${inVersion}/infer` },
      { [headerLength]: String(headerBytes), ...this.#deadlineOf(call) },
      // The encoder made it, and nobody else has it.
      body.buffer as ArrayBuffer,
    );
    if (response.status !== 200) throw await errorOf(response);
    const length = response.headers.get(headerLength);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const answer = decodeInferResponse(bytes, length === null ? undefined : Number(length), name);
    const isRaw = message.raw_input_contents !== undefined && message.raw_input_contents.length > 0;
    return toGrpcResponse(answer, isRaw || answer.outputs.length === 0);
  }

  /** Answers of a stream come as they are ready; an error is the answer of its request alone. */
  stream(call: ServerDuplexStream<Message, Message>): void {
    let open = 0;
    let isEnded = false;
    let isFull = false;
    const settled = (message: object): void => {
      open--;
      if (call.cancelled) return;
      isFull = !call.write(message);
      if (!isFull) call.resume();
      if (isEnded && open === 0) call.end();
    };
    // Of a caller that does not read its answers, no more requests are taken.
    call.on("drain", () => {
      isFull = false;
      call.resume();
    });
    call.on("data", (message: GrpcInferRequest) => {
      open++;
      if (open >= mostOfStream || isFull) call.pause();
      this.infer(call, message).then(
        (answer) => settled({ infer_response: answer }),
        (error: Error) => {
          const { details } = this.failure(error);
          // Callers tell by the id which request it was.
          const { model_name, model_version, id } = message;
          settled({ error_message: details, infer_response: { model_name, model_version, id } });
        },
      );
    });
    call.on("end", () => {
      isEnded = true;
      if (open === 0) call.end();
    });
    // A caller that went away; its calls end with it.
    call.on("error", () => {});
  }

  async check(call: AnyCall, { service }: { readonly service: string }): Promise<object> {
    const ofModel = `/v2/models/${encodeURIComponent(service)}/ready`;
    const path = service === "" ? "/v2/health/ready" : ofModel;
    const answer = await this.ask(call, { method: "GET", path });
    const { ready } = (answer.json ?? {}) as { readonly ready?: unknown };
    if (typeof ready !== "boolean") throw new AnsweredError(answer);
    return { status: ready ? 1 : 2 };
  }

  /** The answer to what is not inference. */
  async ask(
    call: AnyCall,
    request: V2Request,
  ): Promise<V2Answer & { readonly retryAfterS?: string | undefined }> {
    const { body } = request;
    const bytes = body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(body));
    const response = await this.#fetch(call, request, {}, bytes?.buffer);
    const json: unknown = await response.json().catch(() => undefined);
    return { status: response.status, json, retryAfterS: response.headers.get("retry-after") ?? undefined };
  }

  /** The status of a call that ended with an error. */
  failure(error: unknown): { readonly code: number; readonly details: string; readonly metadata: Metadata } {
    const metadata = new this.#Metadata();
    const { message } = error as Error;
    const details = message.slice(0, longestDetails);
    if (error instanceof AnsweredError) {
      if (error.retryAfterS !== undefined) metadata.set("retry-after", error.retryAfterS);
      if (error.reason !== undefined) metadata.set("spillway-reason", error.reason);
      return { code: grpcCodeOf(error.status), details, metadata };
    }
    if (error instanceof ProtocolError) return { code: grpcCodeOf(error.status), details, metadata };
    return { code: grpcCodes.INTERNAL, details, metadata };
  }

  async #fetch(
    call: AnyCall,
    { method, path }: V2Request,
    more: Readonly<Record<string, string>>,
    body?: ArrayBuffer,
  ): Promise<Response> {
    const request = new Request(`http://grpc${path}`, {
      method,
      headers: [...headersOf(call), ...Object.entries(more)],
      signal: this.#signalOf(call),
    });
    const bindings: CallBindings & Partial<BodyBindings> = {
      peer: addressOf(call.getPeer()),
      ...(body !== undefined && { body }),
    };
    return this.#app.fetch(request, bindings);
  }

  #signalOf(call: AnyCall): AbortSignal {
    const known = this.#gone.get(call);
    if (known !== undefined) return known;
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    this.#gone.set(call, gone.signal);
    return gone.signal;
  }

  /** How long the caller waits, where it says so. */
  #deadlineOf(call: AnyCall): Record<string, string> {
    const deadline = call.getDeadline();
    const leftMs = Number(deadline) - this.#options.nowUnixMs();
    return Number.isFinite(leftMs) ? { [withinHeader]: Math.max(0.001, leftMs).toFixed(3) } : {};
  }
}

/** What a caller sends beside its message, as headers. Its authority is the host. */
function headersOf(call: AnyCall): [name: string, value: string][] {
  const said = Object.entries(call.metadata.getMap()).filter(([name]) => !ofTransport.test(name));
  const host = call.getHost();
  return [
    ...said.map(([name, value]): [string, string] => [name, String(value)]),
    ...(host === "" ? [] : [["host", host] as [string, string]]),
  ];
}

/** The address in `127.0.0.1:50000` or `[::1]:50000`. */
function addressOf(peer: string): string {
  return peer.replace(/:[0-9]+$/, "").replaceAll(/^\[|\]$/g, "");
}

async function errorOf(response: Response): Promise<AnsweredError> {
  const json: unknown = await response.json().catch(() => undefined);
  const retryAfterS = response.headers.get("retry-after") ?? undefined;
  return new AnsweredError({ status: response.status, json, retryAfterS });
}
