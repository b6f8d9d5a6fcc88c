/** The way in for gRPC of a program that speaks V2 over HTTP, where its options ask for one. */
import type { Hono } from "hono";
import { checkInstalled } from "../base/optional-package.ts";
import type { Door } from "../base/program/serve.ts";

interface GrpcOptions {
  readonly grpcPort?: number | undefined;
  readonly maxBodyMib: number;
}

/** @throws UsageError when gRPC is asked for and its packages are not installed */
export function grpcDoor(app: Pick<Hono, "fetch">, { grpcPort, maxBodyMib }: GrpcOptions): Door | undefined {
  if (grpcPort === undefined) return undefined;
  checkInstalled("--grpc-port", ["@grpc/grpc-js", "protobufjs"]);
  return {
    scheme: "grpc",
    port: grpcPort,
    option: "--grpc-port",
    open: async (host, port) => {
      const { openGrpcServer } = await import("../protocol/grpc/grpc-server.ts");
      return openGrpcServer(app, { host, port, maxMessageBytes: maxBodyMib * 2 ** 20, nowUnixMs: Date.now });
    },
  };
}
