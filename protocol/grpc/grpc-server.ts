/**
 * gRPC in front of a V2 server. Every call becomes the request over HTTP that means the same and goes through the routes
 * that HTTP callers use, so that rights, bounds, lanes, errors and counts are the same for both.
 *
 *     const door = await openGrpcServer(app, { host: "127.0.0.1", port: 8001, maxMessageBytes, nowUnixMs: Date.now });
 *     await door.close();
 */
import { createServer, type Server as NetServer } from "node:net";
import type { sendUnaryData, ServerDuplexStream, ServerUnaryCall } from "@grpc/grpc-js";
import type { Hono } from "hono";
import { loadPackage } from "../../base/optional-package.ts";
import { AnsweredError, GrpcCaller } from "./grpc-caller.ts";
import type { GrpcInferRequest } from "./grpc-infer.ts";
import { requestIdHeader } from "../message.ts";
import { questions } from "./questions.ts";
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
/**
 * Listens for gRPC, and answers by an app's routes.
 *
 * @throws what `net` says of an address that cannot be listened on
 * @throws UsageError when the packages are not installed
 */
export async function openGrpcServer(
  app: Pick<Hono, "fetch">,
  options: GrpcServerOptions,
): Promise<GrpcServer> {
  const grpc = loadPackage("@grpc/grpc-js", "gRPC");
  const { methods } = openSchema();
  const server = new grpc.Server({
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": mostCalls,
    // A peer that has vanished, or says nothing, does not hold its connection.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.enable_channelz": 0,
  });
  const caller = new GrpcCaller(app, options.nowUnixMs, grpc.Metadata);
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
  const infer = (call: ServerUnaryCall<Message, Message>): Promise<Message> =>
    caller.infer(call, call.request as GrpcInferRequest, (id) => {
      const head = new grpc.Metadata();
      head.set(requestIdHeader, id);
      call.sendMetadata(head);
    });
  serves("ModelInfer", unary(infer) as never);
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
