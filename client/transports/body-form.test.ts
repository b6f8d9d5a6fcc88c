/** The form of bodies, against servers on loopback. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { expect, it } from "vitest";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { headerLength } from "../../protocol/v2-http.ts";
import { closers, listen } from "../../test/support/wired-targets.ts";
import { type FormedTransport, withBodyForm } from "./body-form.ts";
import { httpTransport } from "./http-transport.ts";

const x = tensorFromNumbers("x", "FP32", [1, 2], [1, 2]);
const wire = encodeInferRequest({ parameters: {}, inputs: [x], outputs: [{ name: "y" }] }, { binary: true });

interface TestServer {
  /** What GET /v2 says; undefined: 404. */
  extensions: unknown;
  /** Whether binary bodies are refused, and with which status. */
  refusal?: readonly [status: number, error: string];
  isUp?: boolean;
}

/** What the server was asked: `GET`, or the form of a call with its body where that is JSON. */
async function transportTo(server: TestServer): Promise<{ transport: FormedTransport; asked: unknown[] }> {
  const asked: unknown[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (server.isUp === false) return void request.socket.destroy();
    if (request.method === "GET") {
      asked.push("GET");
      if (server.extensions === undefined) return void response.writeHead(404).end("{}");
      return void response.end(JSON.stringify({ name: "s", version: "1", extensions: server.extensions }));
    }
    const body = await buffer(request);
    const isBinary = request.headers[headerLength] !== undefined;
    asked.push(isBinary ? "binary" : JSON.parse(body.toString()));
    if (isBinary && server.refusal !== undefined) {
      const [status, error] = server.refusal;
      return void response.writeHead(status).end(JSON.stringify({ error }));
    }
    response.end(JSON.stringify({ model_name: "m", outputs: [] }));
  };
  const url = await listen(createServer((request, response) => void serve(request, response)));
  const transport = withBodyForm(httpTransport({ url, connections: 2 }), () => performance.now());
  closers.push(() => transport.close());
  return { transport, asked };
}

const plain = {
  inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }],
  outputs: [{ name: "y" }],
};

it("sends binary data to a server that names the extension, and asks it once", async () => {
  const { transport, asked } = await transportTo({ extensions: ["binary_tensor_data"] });
  await Promise.all([transport.call("m", wire, 5_000), transport.call("m", wire, 5_000)]);
  await transport.call("m", wire, 5_000);
  expect(asked).toEqual(["GET", "binary", "binary", "binary"]);
  expect(transport.extensions).toEqual(["binary_tensor_data"]);
});

it("sends JSON, and asks for outputs in JSON, where the server does not name the extension", async () => {
  const { transport, asked } = await transportTo({ extensions: ["model_repository"] });
  expect((await transport.call("m", wire, 5_000)).status).toBe(200);
  expect(asked).toEqual(["GET", plain]);
});

it("sends binary data to a server that does not say, and asks it no more", async () => {
  for (const extensions of [undefined, "all", null]) {
    const { transport, asked } = await transportTo({ extensions });
    await transport.call("m", wire, 5_000);
    await transport.call("m", wire, 5_000);
    expect(asked).toEqual(["GET", "binary", "binary"]);
  }
});

it("says clearly what JSON cannot state", async () => {
  const { transport } = await transportTo({ extensions: [] });
  const data = Uint8Array.of(1, 0, 0, 0, 0xff);
  const noText = { name: "x", datatype: "BYTES" as const, shape: [1], data };
  const bytes = encodeInferRequest({ parameters: {}, inputs: [noText] }, { binary: true });
  await expect(transport.call("m", bytes, 5_000)).rejects.toMatchObject({
    code: "request_rejected",
    message: expect.stringMatching(/takes JSON alone: .*not UTF-8/),
  });
});

it.each([
  [400, "Invalid JSON: unexpected content after document"],
  [415, "unsupported media type"],
  [422, "inputs.0.data: field required"],
  [500, "'utf-8' codec can't decode byte 0x80"],
] as const)("learns by status %i and %j that a model takes JSON", async (status, error) => {
  const { transport, asked } = await transportTo({
    extensions: ["binary_tensor_data"],
    refusal: [status, error],
  });
  expect((await transport.call("m", wire, 5_000)).status).toBe(200);
  expect((await transport.call("m", wire, 5_000)).status).toBe(200);
  expect(asked).toEqual(["GET", "binary", plain, plain]);
  await transport.call("other", wire, 5_000);
  expect(asked.slice(4)).toEqual(["binary", plain]);
});

it("passes on a refusal that has another cause, without a second call", async () => {
  const { transport, asked } = await transportTo({ extensions: [], refusal: [400, "no input x"] });
  const server = await transportTo({ extensions: undefined, refusal: [400, "no input x"] });
  expect((await server.transport.call("m", wire, 5_000)).status).toBe(400);
  expect(server.asked).toEqual(["GET", "binary"]);
  expect((await transport.call("m", wire, 5_000)).status).toBe(200);
  expect(asked).toEqual(["GET", plain]);
});

it("asks again after the server was away, because another may have come", async () => {
  const server: TestServer = { extensions: ["binary_tensor_data"] };
  const { transport, asked } = await transportTo(server);
  await transport.call("m", wire, 5_000);
  server.isUp = false;
  await expect(transport.call("m", wire, 5_000)).rejects.toMatchObject({ code: "target_unreachable" });
  Object.assign(server, { isUp: true, extensions: [] });
  await transport.call("m", wire, 5_000);
  expect(asked).toEqual(["GET", "binary", "GET", plain]);
});
