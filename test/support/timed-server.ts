/** A V2 server on a real socket that takes its time by the clock and not by work: one batch after another. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import { rowsOf } from "../../protocol/stack.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";

export interface TimedServerOptions {
  /** How long a batch of so many rows takes, in milliseconds. */
  readonly serviceMs: (rows: number) => number;
  /** Whether answers tell how long that was, as our edge's do. */
  readonly tellsService: boolean;
  /** Name of its model, which has 1 KiB a row. Default: `timed`. */
  readonly model?: string;
}

export interface TimedServer {
  readonly url: string;
  close(): void;
}

const metadata = {
  name: "timed",
  platform: "test",
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 256] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
  parameters: { join_rows: true },
};

/** A server that listens, with one model. */
export async function timedServer(options: TimedServerOptions): Promise<TimedServer> {
  let free: Promise<void> = Promise.resolve();
  const infer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const wire = toWireBody(request.headers[headerLength], await bodyOf(request));
    const rows = rowsOf(decodeInferRequest(wire.body, wire.headerBytes));
    const arrivedAtMs = performance.now();
    let startedAtMs = arrivedAtMs;
    free = free.then(() => {
      startedAtMs = performance.now();
      return delay(options.serviceMs(rows));
    });
    await free;
    const facts = {
      spillway_service_ms: performance.now() - startedAtMs,
      spillway_queued_ms: startedAtMs - arrivedAtMs,
    };
    const y = { name: "y", datatype: "FP32", shape: [rows, 1], data: new Uint8Array(4 * rows) } as const;
    const parameters = options.tellsService ? facts : {};
    const answer = encodeInferResponse({ modelName: "timed", parameters, outputs: [y] }, () => true);
    response.writeHead(200, wireHeaders(answer)).end(answer.body);
  };
  const server = createServer((request, response) => {
    if (request.url?.endsWith("/infer") === true) return void infer(request, response);
    request.resume();
    const answer = request.url?.endsWith("/index") === true ? [{ name: options.model ?? "timed" }] : metadata;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<ArrayBuffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return new Uint8Array(Buffer.concat(parts)).buffer;
}
