import { pino } from "pino";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { OverloadedError, ProtocolError } from "../../protocol/errors.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { createEdgeApp } from "./app.ts";
import { inProcessRunner } from "../models/in-process-runner.ts";
import type { ModelFile, ModelRunner } from "../models/model-runner.ts";
import { embeddedModels } from "../models/repository.ts";

const log = pino({ level: "silent" });
const shape = [2, 3, 48, 64];
const pixels = tensorFromNumbers("x", "FP32", shape, new Float32Array(2 * 3 * 48 * 64).fill(0.5));
const app = createEdgeApp({
  models: [inProcessRunner(embeddedModels()[0] as ModelFile, 1)],
  log,
  maxBodyBytes: 1_000_000,
});

/** What the tests read of any answer. */
interface Answer {
  readonly error: string;
  readonly extensions: string[];
  readonly parameters: { readonly spillway_service_ms: number };
  readonly outputs: { readonly data: number[] }[];
}

async function json(path: string, body?: unknown): Promise<{ status: number; body: Answer }> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await app.request(path, init);
  return { status: response.status, body: (await response.json()) as Answer };
}

const jsonRequest = {
  id: "q1",
  inputs: [{ name: "x", datatype: "FP32", shape, data: Array.from(tensorToNumbers(pixels)) }],
};

describe("a real model behind the V2 app", () => {
  beforeAll(async () => {
    await app.request("/v2/models/ocr-cls/infer", { method: "POST", body: JSON.stringify(jsonRequest) });
  });

  it("is live, ready and described", async () => {
    expect(await json("/v2/health/live")).toEqual({ status: 200, body: { live: true } });
    expect(await json("/v2/health/ready")).toEqual({ status: 200, body: { ready: true } });
    expect(await json("/v2/models/ocr-cls/ready")).toMatchObject({ status: 200, body: { name: "ocr-cls" } });
    expect((await json("/v2/")).body.extensions).toEqual([
      "binary_tensor_data",
      "classification",
      "model_configuration",
      "example_requests",
    ]);
    expect((await json("/v2/models/ocr-cls")).body).toMatchObject({
      name: "ocr-cls",
      versions: ["2"],
      platform: "onnx_onnxv1",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3, -1, -1] }],
    });
  });

  it("names an input that suits a model where the model leaves dimensions open", async () => {
    expect((await json("/v2/models/ocr-cls")).body).toMatchObject({
      inputs: [{ parameters: { example_shape: "[1,3,48,192]" } }],
      parameters: { replicas: 1 },
    });
  });

  it("answers JSON with the id of the request and its own service time", async () => {
    const { status, body } = await json("/v2/models/ocr-cls/infer", jsonRequest);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: "q1", model_name: "ocr-cls", model_version: "2" });
    expect(body.outputs[0]).toMatchObject({ datatype: "FP32", shape: [2, 2] });
    const [a = 0, b = 0] = body.outputs[0]?.data ?? [];
    expect(a + b).toBeCloseTo(1, 5);
    expect(body.parameters.spillway_service_ms).toBeGreaterThan(0);
  });

  it("answers binary tensors with binary tensors that say the same", async () => {
    const wire = encodeInferRequest({ parameters: {}, inputs: [pixels] }, { binary: true });
    const response = await app.request("/v2/models/ocr-cls/infer", {
      method: "POST",
      headers: wireHeaders(wire),
      body: wire.body as Uint8Array<ArrayBuffer>,
    });
    const answer = toWireBody(response.headers.get(headerLength), await response.arrayBuffer());
    expect(answer.headerBytes).toBeGreaterThan(0);
    const decoded = decodeInferResponse(answer.body, answer.headerBytes);
    const same = await json("/v2/models/ocr-cls/infer", jsonRequest);
    const output = decoded.outputs[0];
    expect(Array.from(tensorToNumbers(output as never))).toEqual(same.body.outputs[0]?.data);
  });

  it.each([
    ["an unknown model", "/v2/models/nope/infer", jsonRequest, 404, /no model "nope"; there are: ocr-cls/],
    ["an unknown path", "/v2/nothing", undefined, 404, /no GET \/v2\/nothing here/],
    ["a body that is no request", "/v2/models/ocr-cls/infer", { inputs: [] }, 400, /inputs/],
    [
      "an input of another name",
      "/v2/models/ocr-cls/infer",
      { inputs: [{ ...jsonRequest.inputs[0], name: "y" }] },
      400,
      /has no input "y"; allowed: x/,
    ],
    [
      "an input of another shape",
      "/v2/models/ocr-cls/infer",
      { inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] },
      400,
      /"x" is FP32\[1,1\]; model ocr-cls takes FP32\[-1,3,-1,-1\]/,
    ],
    [
      "an output that the model does not have",
      "/v2/models/ocr-cls/infer",
      { ...jsonRequest, outputs: [{ name: "z" }] },
      400,
      /no output "z"/,
    ],
  ])("answers %s with a clear error", async (_, path, request, status, message) => {
    const answer = await json(path, request);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toMatch(message);
  });

  it("refuses a body beyond its bound and closes the connection", async () => {
    const response = await app.request("/v2/models/ocr-cls/infer", {
      method: "POST",
      headers: { "content-length": "1000001" },
      body: new Uint8Array(1_000_001),
    });
    expect(response.status).toBe(413);
    expect(response.headers.get("connection")).toBe("close");
    expect(await response.json()).toEqual({
      error: expect.stringContaining("too large; allowed: at most 1000000 bytes"),
    });
  });

  it("refuses a header length that is no number", async () => {
    const response = await app.request("/v2/models/ocr-cls/infer", {
      method: "POST",
      headers: { [headerLength]: "-5" },
      body: "{}",
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringContaining(`${headerLength} is "-5"`) });
  });
});

function brokenRunner(error: Error): ModelRunner {
  return {
    model: { name: "m", version: "1", path: "" },
    replicas: 1,
    isReady: false,
    metadata: undefined,
    ready: () => Promise.reject(error),
    checkRoom: () => {},
    run: () => Promise.reject(error),
    status: () => ({
      name: "m",
      version: "1",
      state: "down",
      queueRows: 0,
      queueBytes: 0,
      openRequests: 0,
      replicas: [],
      events: [],
    }),
    close: () => Promise.resolve(),
  };
}

it("is not ready while a model is not, and says 503 for what may work later and 500 for faults", async () => {
  const models = [brokenRunner(new ProtocolError("a replica of m died", 503))];
  const unready = createEdgeApp({ models, log, maxBodyBytes: 1_000 });
  const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] });
  const server = await unready.request("/v2/health/ready");
  expect([server.status, await server.json()]).toEqual([
    503,
    { ready: false, reason: expect.stringContaining("model m: "), unavailable: [expect.anything()] },
  ]);
  expect((await unready.request("/v2/models/m")).status).toBe(503);
  const model = await unready.request("/v2/models/m/ready");
  expect([model.status, await model.json()]).toEqual([
    503,
    { name: "m", ready: false, reason: expect.stringMatching(/./) },
  ]);
  expect((await unready.request("/v2/models/m/infer", { method: "POST", body })).status).toBe(503);
  const faulty = createEdgeApp({ models: [brokenRunner(new Error("bug"))], log, maxBodyBytes: 1_000 });
  expect((await faulty.request("/v2/models/m/infer", { method: "POST", body })).status).toBe(500);
});

it("tells who is dropped in overload so in a word and when to come back, also before the body is read", async () => {
  const overloaded = new OverloadedError("the queue of m is too long", 2_500);
  const checkRoom = (): void => {
    throw overloaded;
  };
  for (const runner of [brokenRunner(overloaded), { ...brokenRunner(new Error("bug")), checkRoom }]) {
    const busy = createEdgeApp({ models: [runner], log, maxBodyBytes: 1_000 });
    const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] });
    const answer = await busy.request("/v2/models/m/infer", { method: "POST", body });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(await answer.json()).toEqual({ error: "the queue of m is too long", reason: "overloaded" });
  }
});
