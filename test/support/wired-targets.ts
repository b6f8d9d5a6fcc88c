/** Targets over the real transports, and servers on loopback for them; all are closed after each test. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, onTestFinished } from "vitest";
import { fcTransport } from "../../client/transports/fc-transport.ts";
import { httpTransport, type HttpTransportOptions } from "../../client/transports/http-transport.ts";
import { modelTarget } from "../../client/transports/model-target.ts";
import type { ModelCall } from "../../client/transports/model-call.ts";
import type { Transport } from "../../client/transports/transport.ts";
import type { BatchPart, BatchResult, Target } from "../../client/targets/target.ts";
import { packReply, unpackCall } from "../../protocol/envelope.ts";
import type { InferRequest, InferResponse, WireBody } from "../../protocol/message.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { headerLength } from "../../protocol/v2-http.ts";

/**
 * What is to be closed at the end of the test that runs, the last first. A hook of this module would be one of the first
 * file alone that imports it, because files share the modules of their worker.
 */
export const closers = {
  push(close: () => Promise<unknown>): void {
    onTestFinished(async () => void (await close()));
  },
};

export async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function target(transport: Transport, callTimeoutMs = 5_000): Target<ModelCall, InferResponse> {
  closers.push(() => transport.close());
  return modelTarget({
    name: "t",
    kind: "edge",
    transport,
    maxInFlight: 8,
    assumedLatencyMs: 10,
    callTimeoutMs,
  });
}

export function call(id: string, value: number, rows = 1): ModelCall {
  const values = Float32Array.from({ length: rows * 2 }, () => value);
  const request: InferRequest = {
    id,
    parameters: {},
    inputs: [tensorFromNumbers("x", "FP32", [rows, 2], values)],
  };
  return { model: "echo", request, rows };
}

/** Each payload whole. */
function partsOf(payloads: readonly ModelCall[]): BatchPart<ModelCall>[] {
  return payloads.map((payload) => ({ payload, fromRow: 0, toRow: payload.rows }));
}

export function send(
  to: Target<ModelCall, InferResponse>,
  ...payloads: ModelCall[]
): Promise<BatchResult<InferResponse>> {
  const rows = payloads.reduce((sum, payload) => sum + payload.rows, 0);
  return new Promise((resolve) => {
    let returned = false;
    to.send({ id: 0, key: "", parts: partsOf(payloads), rows, deadlineAtMs: 0 }, (result) => {
      expect(returned).toBe(true);
      resolve(result);
    });
    returned = true;
  });
}

export function httpTarget(
  url: string,
  options: Partial<HttpTransportOptions> & { timeoutMs?: number } = {},
): Target<ModelCall, InferResponse> {
  const { timeoutMs, ...others } = options;
  return target(httpTransport({ url, connections: 4, ...others }), timeoutMs);
}

/** A server that reads each request and then answers as the script says; its URL. */
export function scripted(script: RequestListener): Promise<string> {
  return listen(
    createServer((request, response) => {
      request.resume().on("end", () => script(request, response));
    }),
  );
}

/** The answer of a model that gives back what it is sent. */
function echoed({ body, headerBytes }: WireBody): WireBody {
  const { inputs } = JSON.parse(Buffer.from(body.subarray(0, headerBytes)).toString()) as {
    inputs: object[];
  };
  const parameters = { spillway_service_ms: 1.5 };
  const head = Buffer.from(JSON.stringify({ model_name: "echo", parameters, outputs: inputs }));
  const data = body.subarray(headerBytes);
  return { body: Buffer.concat([head, data]), headerBytes: head.length };
}

/** A V2 server that gives back what it is sent. */
export const echo: RequestListener = (request, response) => {
  void buffer(request).then((body) => {
    const { body: answer, headerBytes } = echoed({
      body,
      headerBytes: Number(request.headers[headerLength]),
    });
    response.setHeader(headerLength, String(headerBytes));
    response.end(answer);
  });
};

/** A function behind Function Compute's own call that gives back what it is sent. */
export const fcEcho: RequestListener = (request, response) => {
  void buffer(request).then((payload) => {
    const { wire } = unpackCall(payload);
    response.end(packReply({ status: 200, wire: echoed(wire) }));
  });
};

type FcCostOf = Parameters<typeof fcTransport>[0]["costOf"];

export function fcTarget(
  endpoint: string,
  options: { secret?: string; functionName?: string; timeoutMs?: number; costOf?: FcCostOf } = {},
): Target<ModelCall, InferResponse> {
  const transport = fcTransport({
    functionName: options.functionName ?? "f",
    endpoint: endpoint.replace("http://", ""),
    protocol: "http",
    accessKeyId: "ak",
    accessKeySecret: options.secret ?? "sk",
    maxCalls: 8,
    costOf: options.costOf ?? ((durationMs) => ({ billedMs: Math.ceil(durationMs), cost: 7 })),
  });
  return target(transport, options.timeoutMs ?? 20_000);
}
