/** The short way in, beside the app's own route behind the same kind of server: raw sockets, byte for byte. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AccessGate } from "../../base/access/access-gate.ts";
import { createHttpServer } from "../../base/program/serve.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { OverloadedError, ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import { codecHere } from "../../protocol/server/message-codec.ts";
import { ReadRoom } from "../../protocol/server/read-body.ts";
import { readRoomFor } from "../../protocol/v2-http.ts";
import { eventually } from "../../test/support/built.ts";
import { ExampleBook } from "../example/example-book.ts";
import type { ModelRunner, RequestResult, RunLimits } from "../models/model-runner.ts";
import { createEdgeApp } from "./app.ts";
import { createEdgeDoor } from "./infer-door.ts";

const maxBodyBytes = 200_000;
const log = pino({ level: "silent" });

const metadata: ModelMetadata = {
  name: "echo",
  platform: "none",
  inputs: [{ name: "x", datatype: "UINT8", shape: [-1, -1] }],
  outputs: [{ name: "y", datatype: "UINT8", shape: [-1, -1] }],
};

/** Answers its input; the first byte may say something else. */
class Echo {
  readonly model = { name: "echo", version: "3", path: "" };
  readonly metadata = metadata;
  readonly replicas = 1;
  readonly isReady = true;
  isFull = false;
  open = 0;
  gone = 0;
  goOn: () => void = () => {};

  checkRoom(): void {
    if (this.isFull) throw new OverloadedError("the queue of echo is full", 2_000);
  }

  async run({ inputs }: InferRequest, { hungUp, deadlineAtMs }: RunLimits = {}): Promise<RequestResult> {
    const [x] = inputs;
    if (x === undefined) throw new Error("no input");
    const [first] = x.data;
    if (first === 200) throw new ProtocolError("the model does not like that", 400);
    if (first === 201) throw new Error("a bug");
    if (first === 202) await this.#wait(hungUp as EventTarget & AbortSignal);
    if (deadlineAtMs !== undefined && first === 203) throw new ProtocolError("too late", 504);
    return { outputs: [{ ...x, name: "y" }], serviceMs: 1, queuedMs: 0, replica: 0 };
  }

  #wait(hungUp: AbortSignal): Promise<void> {
    this.open++;
    return new Promise((resolve, reject) => {
      this.goOn = resolve;
      hungUp.addEventListener("abort", () => {
        this.gone++;
        reject(new ProtocolError("the caller went away", 499));
      });
    });
  }
}

const echo = new Echo();
const runner = echo as unknown as ModelRunner;
const servers: Server[] = [];
const sockets: Socket[] = [];
const taken: boolean[] = [];
let ports: { readonly door: number; readonly app: number };

beforeAll(async () => {
  const listen = async (isShort: boolean): Promise<number> => {
    const gate = new AccessGate();
    const common = { log, maxBodyBytes, examples: new ExampleBook(), gate, room: readRoomFor(maxBodyBytes) };
    const app = createEdgeApp({ ...common, models: [runner] });
    const models = { find: (name: string) => (name === "echo" ? runner : undefined) };
    const door = createEdgeDoor({ ...common, models, codec: codecHere });
    const server = createHttpServer(app, undefined, (...args) => {
      const isTaken = isShort && door.route(...args);
      taken.push(isTaken);
      return isTaken;
    });
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  };
  ports = { door: await listen(true), app: await listen(false) };
});

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

const path = "/v2/models/echo/infer";

/** A request for a tensor of these bytes. */
function request(
  bytes: readonly number[],
  { id, more = [], line = `POST ${path} HTTP/1.1` }: Partial<RequestOptions> = {},
): Buffer {
  const x = { name: "x", datatype: "UINT8", shape: [1, bytes.length], data: Uint8Array.from(bytes) } as const;
  const { body, headerBytes } = encodeInferRequest({ id, parameters: {}, inputs: [x] }, { binary: true });
  const head = [
    line,
    "Host: localhost",
    `Inference-Header-Content-Length: ${headerBytes}`,
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${[...head, ...more].join("\r\n")}\r\n\r\n`), body]);
}

interface RequestOptions {
  readonly id: string;
  readonly more: readonly string[];
  readonly line: string;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A connection that reads answers one after another. */
class Caller {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #isEnded = false;
  #changed: () => void = () => {};

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    sockets.push(this.socket);
    this.socket.on("data", (piece) => {
      this.#bytes = Buffer.concat([this.#bytes, piece]);
      this.#changed();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.#isEnded = true;
      this.#changed();
    });
  }

  send(bytes: Uint8Array | string): this {
    this.socket.write(bytes);
    return this;
  }

  /** Rejects when the connection ends before. */
  async answer(): Promise<Answer> {
    for (;;) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      const [top = "", ...lines] = this.#bytes.toString("latin1", 0, Math.max(0, end)).split("\r\n");
      const headers = Object.fromEntries(
        lines.map((line) => [line.split(": ")[0]?.toLowerCase() ?? "", line.slice(line.indexOf(": ") + 2)]),
      );
      const length = end + 4 + Number(headers["content-length"] ?? 0);
      if (end >= 0 && this.#bytes.length >= length) {
        const body = this.#bytes.subarray(end + 4, length);
        this.#bytes = this.#bytes.subarray(length);
        return { status: Number(top.split(" ")[1]), headers, body };
      }
      if (this.#isEnded) throw new Error(`ended after ${this.#bytes.toString("latin1")}`);
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  async end(): Promise<void> {
    while (!this.#isEnded) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}

/** The data of the output in an answer. */
function output({ body, headers }: Answer): number[] {
  return [...body.subarray(Number(headers["inference-header-content-length"]))];
}

describe("an answer is that of the app", () => {
  const chunked = (pieces: readonly string[], more: readonly string[] = []): string =>
    [
      `POST ${path} HTTP/1.1`,
      "Host: localhost",
      "Transfer-Encoding: chunked",
      ...more,
      "",
      ...pieces.map((piece) => `${Buffer.byteLength(piece).toString(16)};x=y\r\n${piece}`),
      "0",
      "",
      "",
    ].join("\r\n");
  const json = '{"id":"é","inputs":[{"name":"x","datatype":"UINT8","shape":[1,2],"data":[5,6]}]}';
  const plain = (body: string, more: readonly string[] = []): string =>
    [
      `POST ${path} HTTP/1.1`,
      "Host: localhost",
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...more,
      "",
      body,
    ].join("\r\n");

  it.each<[what: string, bytes: string | Buffer]>([
    ["to binary data", request([1, 2, 3])],
    ["to binary data with an id", request([1, 2, 3], { id: "a-1" })],
    ["to binary data with a strange id", request([1, 2, 3], { id: 'a"\\\u2028é' })],
    ["to data of no bytes", request([])],
    ["to one version", request([1], { line: "POST /v2/models/echo/versions/3/infer HTTP/1.1" })],
    ["to another version", request([1], { line: "POST /v2/models/echo/versions/4/infer HTTP/1.1" })],
    ["to a name with escapes", request([1], { line: "POST /v2/models/%65cho/infer HTTP/1.1" })],
    ["to a query", request([1], { line: `POST ${path}?a=b HTTP/1.1` })],
    ["to a model that is not there", request([1], { line: "POST /v2/models/none/infer HTTP/1.1" })],
    ["to JSON", plain(json)],
    ["to JSON in chunks", chunked([json.slice(0, 20), json.slice(20)])],
    ["to no JSON", plain("{")],
    ["to nothing", plain("")],
    ["to a request without a length", `POST ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ["to raw bytes", plain("abc", ["Inference-Header-Content-Length: 0"])],
    ["to a header length that is none", plain(json, ["Inference-Header-Content-Length: x"])],
    [
      "to two header lengths",
      plain(json, ["Inference-Header-Content-Length: 5", "Inference-Header-Content-Length: 5"]),
    ],
    ["to a header length beyond the body", plain(json, ["Inference-Header-Content-Length: 5000"])],
    ["to a body that goes on behind its data", plain(`${json} x`)],
    ["to a wait that is none", request([1], { more: ["Spillway-Within-Ms: x"] })],
    ["to a deadline that has passed", request([203], { more: ["Spillway-Within-Ms: 1"] })],
    ["to what the model refuses", request([200])],
    ["to a fault of ours", request([201])],
    [
      "to a body that says it is too large",
      plain("x", []).replace("Content-Length: 1", "Content-Length: 300000"),
    ],
    ["to a body in chunks that is too large", chunked(Array.from({ length: 30 }, () => "x".repeat(9_000)))],
    ["to GET", `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ["to HTTP/1.0", request([1, 2], { line: `POST ${path} HTTP/1.0` })],
    [
      "to HTTP/1.0 that is kept alive",
      request([1, 2], { line: `POST ${path} HTTP/1.0`, more: ["Connection: keep-alive"] }),
    ],
    ["to one that is not kept alive", request([1, 2], { more: ["Connection: close"] })],
    [
      "to one that takes gzip, when it is short",
      request([1, 2], { more: ["Accept-Encoding: gzip, deflate"] }),
    ],
    ["to a page of this server", request([1, 2], { more: ["Origin: http://localhost"] })],
    ["to a page of another site", request([1, 2], { more: ["Origin: http://evil.example"] })],
    ["to a caller through a proxy", request([1, 2], { more: ["X-Forwarded-For: 1.2.3.4"] })],
    ["to a caller with a wrong token", request([1, 2], { more: ["Authorization: Bearer no"] })],
    ["to a body that is packed in an unknown way", request([1, 2], { more: ["Content-Encoding: br"] })],
  ])("%s", async (_, bytes) => {
    const told = async (port: number): Promise<object> => {
      const { status, headers, body } = await new Caller(port).send(bytes).answer();
      const { date: _date, ...rest } = headers;
      return { status, headers: rest, body: body.toString("latin1") };
    };
    expect(await told(ports.door)).toEqual(await told(ports.app));
  });

  it("and comes by the short way, where nothing is unusual", async () => {
    taken.length = 0;
    expect((await new Caller(ports.door).send(request([7])).answer()).status).toBe(200);
    expect(taken).toEqual([true]);
  });
});

describe("a request", () => {
  it("may be cut anywhere", async () => {
    const caller = new Caller(ports.door);
    const bytes = request([1, 2, 3, 4], { id: "b" });
    for (let at = 1; at < bytes.length; at++) {
      caller.send(bytes.subarray(0, at));
      // Once around the loop, so that the pieces arrive as two.
      await new Promise((resolve) => setImmediate(resolve));
      caller.send(bytes.subarray(at));
      expect(output(await caller.answer())).toEqual([1, 2, 3, 4]);
    }
  });

  it("may come a byte at a time", async () => {
    const caller = new Caller(ports.door);
    for (const byte of request([1, 2, 3, 4])) {
      caller.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(output(await caller.answer())).toEqual([1, 2, 3, 4]);
  });

  it("may be sent before those before it are answered, and each gets its own answer in order", async () => {
    const caller = new Caller(ports.door);
    const waiting = echo.open;
    caller.send(Buffer.concat([request([202, 1]), request([2]), request([200]), request([4])]));
    await eventually(() => expect(echo.open).toBe(waiting + 1));
    echo.goOn();
    const answers = [
      await caller.answer(),
      await caller.answer(),
      await caller.answer(),
      await caller.answer(),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 200]);
    expect([0, 1, 3].map((index) => output(answers[index] as Answer))).toEqual([[202, 1], [2], [4]]);
  });

  it("may wait for leave to send its body", async () => {
    const caller = new Caller(ports.door);
    const bytes = request([9, 9], { more: ["Expect: 100-continue"] });
    const end = bytes.indexOf("\r\n\r\n") + 4;
    expect((await caller.send(bytes.subarray(0, end)).answer()).status).toBe(100);
    expect(output(await caller.send(bytes.subarray(end)).answer())).toEqual([9, 9]);
  });

  it("may be large, and so may its answer", async () => {
    const data = Array.from({ length: 150_000 }, (_, index) => index % 199);
    expect(output(await new Caller(ports.door).send(request(data)).answer())).toEqual(data);
  });

  it("may take its answer packed", async () => {
    const data = Array.from({ length: 5_000 }, () => 7);
    const more = ["Accept-Encoding: gzip"];
    const answer = await new Caller(ports.door).send(request(data, { more })).answer();
    expect(answer.headers).toMatchObject({ "content-encoding": "gzip", vary: "accept-encoding" });
    expect(output({ ...answer, body: gunzipSync(answer.body) })).toEqual(data);
  });

  it("is refused before its body is read, when it has no chance", async () => {
    echo.isFull = true;
    const caller = new Caller(ports.door);
    const refused = await caller.send(request([1])).answer();
    echo.isFull = false;
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "2" } });
    expect(output(await caller.send(request([1])).answer())).toEqual([1]);
  });
});

describe("a caller that goes away", () => {
  it("while it waits is noticed", async () => {
    const caller = new Caller(ports.door).send(request([202]));
    const [open, gone] = [echo.open, echo.gone];
    await eventually(() => expect(echo.open).toBe(open + 1));
    caller.socket.resetAndDestroy();
    await eventually(() => expect(echo.gone).toBe(gone + 1));
  });

  it("when it has closed its half counts as gone", async () => {
    const [open, gone] = [echo.open, echo.gone];
    const caller = new Caller(ports.door).send(request([202]));
    await eventually(() => expect(echo.open).toBe(open + 1));
    caller.socket.end();
    await eventually(() => expect(echo.gone).toBe(gone + 1));
  });

  it("in the middle of its body gives back the room for it", async () => {
    const taking: number[] = [];
    class Watched extends ReadRoom {
      override take(bytes: number): void {
        super.take(bytes);
        taking.push(bytes);
      }
      override give(bytes: number): void {
        super.give(bytes);
        taking.push(-bytes);
      }
    }
    const room = new Watched(1_000_000);
    const common = { log, maxBodyBytes, examples: new ExampleBook(), gate: undefined, room };
    const door = createEdgeDoor({ ...common, models: { find: () => runner }, codec: codecHere });
    const server = createHttpServer({ fetch: () => new Response("app") }, undefined, door.route);
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const caller = new Caller((server.address() as AddressInfo).port);
    const bytes = request(Array.from({ length: 100_000 }, () => 1));
    caller.send(bytes.subarray(0, 80_000));
    await eventually(() => expect(taking.length).toBeGreaterThan(0));
    caller.socket.resetAndDestroy();
    await eventually(() => expect(taking.reduce((sum, each) => sum + each, 0)).toBe(0));
  });
});
