/** The queue's short way in for inference, beside the route of the app: what it answers must not tell which one it was. */
import { once } from "node:events";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import type { Server } from "node:http";
import { afterEach, expect, it } from "vitest";
import { AccessGate } from "../../../base/access/access-gate.ts";
import { createHttpServer } from "../../../base/program/serve.ts";
import { decodeInferResponse } from "../../../protocol/decode.ts";
import { encodeInferRequest } from "../../../protocol/encode.ts";
import type { WireBody } from "../../../protocol/message.ts";
import { codecHere } from "../../../protocol/server/message-codec.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../protocol/tensor.ts";
import { headerLength, readRoomFor, toWireBody, wireHeaders } from "../../../protocol/v2-http.ts";
import {
  type SmallDaemon,
  smallDaemon,
  type SmallDaemonOptions,
} from "../../../test/support/small-daemon.ts";
import { InferAnswers } from "./answer-infer.ts";
import { createQueueDoor } from "./queue-door.ts";
import { createV2Ingress } from "./v2.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

const metadata = {
  name: "m",
  inputs: [{ name: "x", datatype: "FP32" as const, shape: [-1, -1] }],
  outputs: [{ name: "y", datatype: "FP32" as const, shape: [-1, -1] }],
};
/** Answers with the numbers that it is sent, plus one. */
const serve: SmallDaemonOptions["serve"] = ({ inputs: [x] }) => [
  tensorFromNumbers(
    "y",
    "FP32",
    x?.shape ?? [],
    Array.from(x === undefined ? [] : tensorToNumbers(x), (each) => each + 1),
  ),
];

interface Way {
  readonly url: string;
  readonly port: number;
}

/** One daemon behind two servers, of which the first has the door before the app. */
async function twoWays(
  given: Partial<SmallDaemonOptions> = {},
): Promise<SmallDaemon & { readonly door: Way; readonly app: Way }> {
  const small = await smallDaemon({ metadata, serve, sloMs: 60_000, ...given });
  const maxBodyBytes = 1_000_000;
  const shared = {
    gate: new AccessGate(),
    maxBodyBytes,
    answers: new InferAnswers(small.daemon, codecHere),
    room: readRoomFor(maxBodyBytes),
    onFault: (error: Error) => expect.fail(error.message),
  };
  const app = createV2Ingress(small.daemon, shared);
  const serving = async (server: Server): Promise<Way> => {
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}`, port };
  };
  return {
    ...small,
    door: await serving(createHttpServer(app, undefined, createQueueDoor(small.daemon, shared).route)),
    app: await serving(createHttpServer(app)),
  };
}

const request = (values: readonly number[], more: object = {}) => ({
  parameters: {},
  inputs: [tensorFromNumbers("x", "FP32", [1, values.length], values)],
  ...more,
});

function post(
  { url }: Way,
  wire: WireBody,
  headers: Record<string, string> = {},
  model = "m",
): Promise<Response> {
  const init = {
    method: "POST",
    headers: { ...wireHeaders(wire), ...headers },
    body: new Uint8Array(wire.body),
  };
  return fetch(`${url}/v2/models/${model}/infer`, init);
}

const binary = (values: readonly number[], more: object = {}): WireBody =>
  encodeInferRequest(request(values, more), { binary: true });

it("answers as the app does, be it in JSON or binary, with an id for each request", async () => {
  const { door, app } = await twoWays();
  for (const wire of [
    binary([1, 2]),
    binary([1, 2], { id: "a" }),
    encodeInferRequest(request([1, 2]), { binary: false }),
  ]) {
    const told = await Promise.all(
      [door, app].map(async (way) => {
        const answer = await post(way, wire);
        const { body, headerBytes } = toWireBody(
          answer.headers.get(headerLength),
          await answer.arrayBuffer(),
        );
        const { parameters, outputs, ...rest } = decodeInferResponse(body, headerBytes);
        expect(answer.headers.get("spillway-request-id")).toMatch(/^[0-9a-f]{6}-\d+$/);
        return {
          status: answer.status,
          type: answer.headers.get("content-type"),
          names: Object.keys(parameters),
          values: outputs.map((output) => Array.from(tensorToNumbers(output))),
          ...rest,
        };
      }),
    );
    expect(told[0]).toEqual(told[1]);
    expect(told[0]).toMatchObject({ status: 200, values: [[2, 3]] });
  }
});

it("refuses as the app does what is no request, and gives that an id as well", async () => {
  const { door, app } = await twoWays();
  const json = (text: string): WireBody => ({ body: new TextEncoder().encode(text) });
  const cases: [WireBody, Record<string, string>][] = [
    [json("{"), {}],
    [json("{}"), {}],
    [binary([1], { parameters: { sequence_id: 7 } }), {}],
    [binary([1], { parameters: { timeout: -1 } }), {}],
    [binary([1]), { "spillway-lane": "none" }],
    [binary([1]), { "spillway-within-ms": "soon" }],
    [binary([1]), { "inference-header-content-length": "x" }],
    [{ body: new Uint8Array(2_000_000) }, {}],
  ];
  for (const [wire, headers] of cases) {
    const [one, other] = await Promise.all(
      [door, app].map(async (way) => {
        const answer = await post(way, wire, headers);
        return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.json() };
      }),
    );
    expect(one).toEqual(other);
    expect(one?.status).toBeGreaterThan(399);
  }
  expect((await post(door, json("{"))).headers.get("spillway-request-id")).toMatch(/-e\d+$/);
});

it("leaves to the app what must be looked up: unknown models, versions and other paths", async () => {
  const { door, app } = await twoWays();
  for (const path of ["/v2/models/none/infer", "/v2/models/m/versions/9/infer", "/v2/models/m", "/nothing"]) {
    const { body, ...more } = binary([1]);
    const init = { method: "POST", headers: wireHeaders(more), body: new Uint8Array(body) };
    const [one, other] = await Promise.all([door, app].map(({ url }) => fetch(url + path, init)));
    expect(one?.status).toBe(other?.status);
    expect(await one?.text()).toBe(await other?.text());
  }
});

it("keeps every answer with its request when many come at once, of several sizes, by few connections", async () => {
  const { door } = await twoWays();
  const one = async (value: number): Promise<void> => {
    const length = value % 7 === 0 ? 40_000 : (value % 3) + 1;
    const values = Array.from({ length }, (_, index) => value + (index % 5));
    const answer = await post(door, binary(values, { id: `r${value}` }));
    const { body, headerBytes } = toWireBody(answer.headers.get(headerLength), await answer.arrayBuffer());
    const { id, outputs } = decodeInferResponse(body, headerBytes);
    expect(id).toBe(`r${value}`);
    const expected = values.map((each) => each + 1);
    expect(outputs.map((output) => Array.from(tensorToNumbers(output)))).toEqual([expected]);
  };
  await Promise.all(Array.from({ length: 60 }, (_, value) => one(value)));
});

it("counts what it answers by its status", async () => {
  const { door, daemon } = await twoWays();
  await post(door, binary([1]));
  await post(door, { body: new TextEncoder().encode("{") });
  const text = await daemon.scrape();
  expect(text).toMatch(/http_responses_total\{status="200"\} 1\b/);
  expect(text).toMatch(/http_responses_total\{status="400"\} 1\b/);
});

it("takes a request out of the queue when its caller hangs up", async () => {
  const { door, queue } = await twoWays({ serviceMs: 60_000 });
  const { body, headerBytes } = binary([1]);
  const socket = connect(door.port, "127.0.0.1");
  const head = `POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\n${headerLength}: ${headerBytes}\r\n`;
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n`);
  socket.write(body);
  await expect.poll(() => queue.counts.submitted).toBe(1);
  socket.destroy();
  await expect.poll(() => queue.counts.cancelled).toBe(1);
});

it("does not take requests of two shapes that are padded alike for one another", async () => {
  const { padded } = await import("../joining/padding.ts");
  const { stackKey } = await import("../../../protocol/stack.ts");
  const { RequestReader } = await import("../../../protocol/server/request-reader.ts");
  const reader = new RequestReader();
  const read = (length: number) => {
    const { body, headerBytes = 0 } = binary(Array.from({ length }, () => 1));
    return reader.read({ parts: [body], headerBytes });
  };
  const rules = [{ input: "x", dimension: 1, sizes: [4, 8], value: 0 }];
  const keyOf = (length: number): string => stackKey(padded(read(length), rules));
  for (let round = 0; round < 2; round++) {
    expect(keyOf(2)).toBe(keyOf(4));
    expect(keyOf(3)).not.toBe(keyOf(5));
    expect(stackKey(read(2))).not.toBe(stackKey(read(4)));
  }
});
