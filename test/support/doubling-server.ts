/**
 * A V2 server on a real socket whose models double their input, one batch after another, by the clock and not by work.
 * Its models can be changed while it runs, and it answers as ours does, as Triton does, or as a plain server.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";

export interface DoublingServerOptions {
  /** How long a batch of so many rows takes, in milliseconds. */
  readonly serviceMs: (rows: number) => number;
  /** What it tells beside the protocol: our facts, a configuration, or nothing. Default: ours. */
  readonly kind?: "ours" | "triton" | "plain";
  /** Default: `double`. */
  readonly models?: readonly string[];
}

export interface DoublingServer {
  readonly url: string;
  /** Those that it lists and serves from now on. */
  models: readonly string[];
  /** Those of them that it serves without listing them. */
  hidden: readonly string[];
  /** Rows of the batches that it answered. */
  readonly batches: number[];
  /** Inferences that it was asked for with models that it does not have. */
  strays: number;
  close(): void;
}

export async function doublingServer(options: DoublingServerOptions): Promise<DoublingServer> {
  const { kind = "ours", models = ["double"], serviceMs } = options;
  let free: Promise<void> = Promise.resolve();
  const infer = async (model: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const wire = toWireBody(request.headers[headerLength], await bodyOf(request));
    if (!state.models.includes(model)) {
      state.strays++;
      return send(response, 404, { error: `no model ${model}` });
    }
    const { inputs } = decodeInferRequest(wire.body, wire.headerBytes);
    const [x] = inputs as [(typeof inputs)[number]];
    const rows = x.shape[0] as number;
    const arrivedAtMs = performance.now();
    let startedAtMs = arrivedAtMs;
    free = free.then(() => {
      startedAtMs = performance.now();
      return delay(serviceMs(rows));
    });
    await free;
    state.batches.push(rows);
    const facts = {
      spillway_service_ms: performance.now() - startedAtMs,
      spillway_queued_ms: startedAtMs - arrivedAtMs,
    };
    const values = Array.from(tensorToNumbers(x), (value) => 2 * value);
    const outputs = [tensorFromNumbers("y", "FP32", [...x.shape], values)];
    const parameters = kind === "ours" ? facts : {};
    const answer = encodeInferResponse({ modelName: model, parameters, outputs }, () => kind !== "plain");
    response.writeHead(200, wireHeaders(answer)).end(answer.body);
  };
  const listed = (): object[] =>
    state.models.filter((name) => !state.hidden.includes(name)).map((name) => ({ name, state: "READY" }));
  const told = (path: string): [number, unknown] => {
    const [, , , model = "", what] = path.split("/");
    if (path === "/v2") {
      const extensions = kind === "plain" ? ["none"] : ["binary_tensor_data", "model_repository"];
      return [200, { name: kind, version: "1", extensions }];
    }
    if (path.startsWith("/v2/health")) return [200, {}];
    if (path === "/v2/repository/index" || path === "/v2/models") return [200, listed()];
    if (!state.models.includes(model)) return [404, { error: `no model ${model}` }];
    if (what === "config") return kind === "triton" ? [200, { name: model, max_batch_size: 32 }] : [404, {}];
    const tensor = (name: string): object => ({ name, datatype: "FP32", shape: [-1, 1] });
    const metadata = { name: model, platform: kind, inputs: [tensor("x")], outputs: [tensor("y")] };
    return [200, kind === "ours" ? { ...metadata, parameters: { join_rows: true } } : metadata];
  };
  const server = createServer((request, response) => {
    const { url = "" } = request;
    const model = /^\/v2\/models\/([^/]+)\/infer$/.exec(url)?.[1];
    if (model !== undefined) return void infer(model, request, response);
    request.resume();
    send(response, ...told(url));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const state: DoublingServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    models,
    hidden: [],
    batches: [],
    strays: 0,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return state;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<ArrayBuffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return new Uint8Array(Buffer.concat(parts)).buffer;
}
