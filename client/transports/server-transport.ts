/** A V2 server by the way that its address names: HTTP or gRPC. */
import { isGrpcAddress } from "../../base/program/server-address.ts";
import { grpcTransport } from "./grpc/grpc-transport.ts";
import { httpTransport, type HttpTransport, type HttpTransportOptions } from "./http-transport.ts";

/**
 * @example
 * serverTransport({ url: "grpc://127.0.0.1:8001", connections: 4 });
 *
 * @throws what the transport of its address throws
 */
export function serverTransport(options: HttpTransportOptions): HttpTransport {
  return isGrpcAddress(options.url) ? grpcTransport(options) : httpTransport(options);
}
