/**
 * Calls of gRPC as requests over HTTP: each goes through the routes of a V2 app, with what its caller sent beside it, its
 * address, its deadline and its end.
 */
import type { Metadata, ServerDuplexStream, ServerUnaryCall } from "@grpc/grpc-js";
import type { Hono } from "hono";
import type { CallBindings } from "../../base/access/request-head.ts";
import { SideField } from "../../base/memory/side-field.ts";
import { decodeInferResponse } from "../decode.ts";
import { encodeInferRequest } from "../encode.ts";
import { ProtocolError } from "../errors.ts";
import { requestIdHeader, withinHeader } from "../message.ts";
import type { BodyBindings } from "../server/read-body.ts";
import { headerLength } from "../v2-http.ts";
import {
  fromGrpcRequest,
  type GrpcInferRequest,
  type GrpcInferResponse,
  toGrpcResponse,
} from "./grpc-infer.ts";
import { grpcCodeOf, grpcCodes } from "./grpc-status.ts";
import { pathOf, type V2Answer, type V2Request } from "./questions.ts";
import type { Message } from "./schema.ts";

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

/** An answer over HTTP that is an error. */
export class AnsweredError extends Error {
  readonly status: number;
  readonly retryAfterS: string | undefined;
  readonly reason: string | undefined;

  constructor({ status, json, retryAfterS }: V2Answer & { readonly retryAfterS?: string | undefined }) {
    const { error, reason } = (json ?? {}) as { readonly error?: unknown; readonly reason?: unknown };
    // Of what is not ready there is only a reason.
    super(textIn(error) ?? textIn(reason) ?? `status ${status}`);
    this.status = status;
    this.retryAfterS = retryAfterS;
    this.reason = textIn(error) === undefined ? undefined : textIn(reason);
  }
}

function textIn(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Makes the requests of calls, and answers of their ends. */
export class GrpcCaller {
  readonly #app: App;
  readonly #nowUnixMs: () => number;
  readonly #Metadata: new () => Metadata;
  /** Aborted when the caller went away or its deadline came. */
  readonly #gone = new SideField<AnyCall, AbortSignal>();

  constructor(app: App, nowUnixMs: () => number, MetadataClass: new () => Metadata) {
    this.#app = app;
    this.#nowUnixMs = nowUnixMs;
    this.#Metadata = MetadataClass;
  }

  /** @param onId told the id that the server has given the request, where it gives one */
  async infer(
    call: AnyCall,
    message: GrpcInferRequest,
    onId?: (id: string) => void,
  ): Promise<GrpcInferResponse> {
    const { model_name: name, model_version: version } = message;
    if (name === "") throw new ProtocolError("model_name is empty; allowed: the name of a model");
    if (message.inputs.length === 0)
      throw new ProtocolError("inputs is an empty array; allowed: one input or more");
    // With one input or more there is binary data, in memory of its own.
    const { body, headerBytes } = encodeInferRequest(fromGrpcRequest(message), { binary: true });
    const response = await this.#fetch(
      call,
      { method: "POST", path: `${pathOf({ name, version })}/infer` },
      { [headerLength]: String(headerBytes), ...this.#deadlineOf(call) },
      body.buffer as ArrayBuffer,
    );
    const id = response.headers.get(requestIdHeader);
    if (id !== null) onId?.(id);
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
    const leftMs = Number(deadline) - this.#nowUnixMs();
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
