/** What strangers' models take and give, by the edge app over models in this process. */
import { Buffer } from "node:buffer";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hono } from "hono";
import { pino } from "pino";
import { expect, it } from "vitest";
import { bytesOfElements } from "../../protocol/bytes-elements.ts";
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { identityOfAnyRank } from "../../test/support/odd-onnx.ts";
import { type TinyNode, type TinyTensor, tinyOnnx } from "../../test/support/tiny-onnx.ts";
import { inProcessRunner } from "../models/in-process-runner.ts";
import { readModelConfig } from "../models/model-config.ts";
import { createEdgeApp } from "./app.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-infer-"));
const log = pino({ level: "silent" });

/** An app that serves one model, called m. */
function appOf(model: Buffer, settings?: object): Hono {
  const path = join(mkdtempSync(join(folder, "m")), "model.onnx");
  writeFileSync(path, model);
  const config = settings && readModelConfig(settings, "config.yaml");
  const runner = inProcessRunner({ name: "m", version: "1", path, config }, 1);
  return createEdgeApp({ models: [runner], log, maxBodyBytes: 1_000_000 });
}

const x = (datatype: TinyTensor["datatype"], shape: TinyTensor["shape"], name = "x"): TinyTensor => ({
  name,
  datatype,
  shape,
});

function identity(datatype: TinyTensor["datatype"], shape: TinyTensor["shape"]): Buffer {
  const nodes: TinyNode[] = [{ op: "Identity", inputs: ["x"], output: "y" }];
  return tinyOnnx([x(datatype, shape)], nodes, [x(datatype, shape, "y")]);
}

const add = (a: TinyTensor["shape"], b: TinyTensor["shape"]): Buffer =>
  tinyOnnx(
    [x("FP32", a), x("FP32", b, "b")],
    [{ op: "Add", inputs: ["x", "b"], output: "y" }],
    [x("FP32", a, "y")],
  );

interface Answer {
  readonly status: number;
  readonly error?: string;
  readonly text: string;
  readonly outputs?: {
    readonly name: string;
    readonly datatype: string;
    readonly shape: number[];
    readonly data: unknown[];
  }[];
}

async function inJson(app: Hono, body: unknown): Promise<Answer> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await app.request("/v2/models/m/infer", { method: "POST", body: text });
  const answer = await response.text();
  return { ...(JSON.parse(answer) as object), status: response.status, text: answer };
}

async function inBinary(
  app: Hono,
  inputs: Tensor[],
): Promise<{ status: number; error?: string; output?: Tensor }> {
  const wire = encodeInferRequest({ parameters: {}, inputs }, { binary: true });
  const body = wire.body as Uint8Array<ArrayBuffer>;
  const init = { method: "POST", headers: wireHeaders(wire), body };
  const response = await app.request("/v2/models/m/infer", init);
  if (response.status !== 200) return { status: response.status, ...((await response.json()) as object) };
  const answer = toWireBody(response.headers.get(headerLength), await response.arrayBuffer());
  const [output] = decodeInferResponse(answer.body, answer.headerBytes).outputs;
  return { status: 200, ...(output !== undefined && { output }) };
}

const input = (datatype: string, shape: number[], data: unknown[], name = "x") => ({
  name,
  datatype,
  shape,
  data,
});

it("takes and gives 64-bit integers in JSON with all digits", async () => {
  const data = "[-9223372036854775808,9007199254740993,[1]]".replace("[1]", "9223372036854775807");
  const answer = await inJson(
    appOf(identity("INT64", [-1])),
    `{"inputs":[{"name":"x","datatype":"INT64","shape":[3],"data":${data}}]}`,
  );
  expect(answer.status).toBe(200);
  expect(answer.text).toContain(`"data":${data}`);
  const unsigned = "[18446744073709551615,0]";
  const other = await inJson(
    appOf(identity("UINT64", [-1])),
    `{"inputs":[{"name":"x","datatype":"UINT64","shape":[2],"data":${unsigned}}]}`,
  );
  expect(other.text).toContain(`"data":${unsigned}`);
});

it("serves zero rows", async () => {
  const app = appOf(identity("FP32", [-1, 3]));
  const answer = await inJson(app, { inputs: [input("FP32", [0, 3], [])] });
  expect(answer).toMatchObject({ status: 200, outputs: [{ shape: [0, 3], data: [] }] });
  const empty = tensorFromNumbers("x", "FP32", [0, 3], []);
  expect(await inBinary(app, [empty])).toMatchObject({ status: 200, output: { shape: [0, 3] } });
  const texts = appOf(identity("BYTES", [-1]));
  expect(await inJson(texts, { inputs: [input("BYTES", [0], [])] })).toMatchObject({
    status: 200,
    outputs: [{ datatype: "BYTES", shape: [0], data: [] }],
  });
});

it("serves a scalar beside rows, inputs of different first dimensions, and no dynamic dimension", async () => {
  const scalar = { inputs: [input("FP32", [2, 1], [1, 2]), input("FP32", [], [10], "b")] };
  expect(await inJson(appOf(add([-1, 1], [])), scalar)).toMatchObject({
    status: 200,
    outputs: [{ shape: [2, 1], data: [11, 12] }],
  });
  const state = {
    inputs: [input("FP32", [2, 3, 1], [1, 2, 3, 4, 5, 6]), input("FP32", [3, 1], [10, 20, 30], "b")],
  };
  expect(await inJson(appOf(add([2, -1, 1], [-1, 1])), state)).toMatchObject({
    status: 200,
    outputs: [{ shape: [2, 3, 1], data: [11, 22, 33, 14, 25, 36] }],
  });
  const fixed = { inputs: [input("FP32", [2], [1, 2]), input("FP32", [1], [10], "b")] };
  expect(await inJson(appOf(add([2], [1])), fixed)).toMatchObject({
    status: 200,
    outputs: [{ data: [11, 12] }],
  });
  const alone = appOf(identity("FP32", []));
  expect(await inJson(alone, { inputs: [input("FP32", [], [7])] })).toMatchObject({
    status: 200,
    outputs: [{ shape: [], data: [7] }],
  });
});

it("lets any shape through to an input of unknown rank", async () => {
  const app = appOf(identityOfAnyRank());
  for (const shape of [[], [1], [0], [2, 1], [1, 1, 2]]) {
    const data = Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () => 1.5);
    expect(await inJson(app, { inputs: [input("FP32", shape, data)] })).toMatchObject({
      status: 200,
      outputs: [{ shape, data }],
    });
  }
});

it("counts the rows of inputs that have them for the limit of the settings", async () => {
  const app = appOf(add([2, -1], [-1]), { maxBatchRows: 1 });
  const state = { inputs: [input("FP32", [2, 1], [1, 2]), input("FP32", [1], [10], "b")] };
  expect((await inJson(app, state)).status).toBe(200);
  const many = { inputs: [input("FP32", [2, 1], [1, 2]), input("FP32", [2], [1, 2], "b")] };
  expect(await inJson(app, many)).toMatchObject({ status: 400, error: expect.stringContaining("2 rows") });
  const alike = appOf(add([-1], [-1]), { maxBatchRows: 4 });
  const broadcast = { inputs: [input("FP32", [2], [1, 2]), input("FP32", [1], [1], "b")] };
  await inJson(alike, { inputs: [input("FP32", [1], [1]), input("FP32", [1], [1], "b")] });
  expect(await inJson(alike, broadcast)).toMatchObject({
    status: 400,
    error: 'input "x" has 2 rows and input "b" has 1; all inputs of model "m" must have as many rows',
  });
  const rows = { inputs: [input("FP32", [2], [1, 2])] };
  expect(await inJson(appOf(identity("FP32", [-1]), { maxBatchRows: 1 }), rows)).toMatchObject({
    status: 400,
    error: 'the request has 2 rows; allowed: at most 1 for model "m"',
  });
});

it("answers 400 to inputs that only the runtime can refuse", async () => {
  const gather = tinyOnnx(
    [x("FP32", [4]), x("INT64", [-1], "i")],
    [{ op: "Gather", inputs: ["x", "i"], output: "y" }],
    [x("FP32", [-1], "y")],
  );
  const table = input("FP32", [4], [1, 2, 3, 4]);
  const app = appOf(gather);
  expect(await inJson(app, { inputs: [table, input("INT64", [2], [3, 0], "i")] })).toMatchObject({
    status: 200,
    outputs: [{ data: [4, 1] }],
  });
  expect(await inJson(app, { inputs: [table, input("INT64", [1], [9], "i")] })).toMatchObject({
    status: 400,
    error: expect.stringContaining("the inputs do not suit model m: "),
  });
  const sizes = { inputs: [input("FP32", [3], [1, 2, 3]), input("FP32", [2], [1, 2], "b")] };
  expect(await inJson(appOf(add([-1], [-1])), sizes)).toMatchObject({ status: 400 });
});

it("refuses an input that the model does not name, since the runtime would pass over it", async () => {
  const inputs = [input("FP32", [1], [1]), input("FP32", [1], [1], "w")];
  expect(await inJson(appOf(identity("FP32", [-1])), { inputs })).toMatchObject({
    status: 400,
    error: 'model m has no input "w"; allowed: x',
  });
});

it("refuses strings that the runtime would cut or cannot take, and names input and element", async () => {
  const app = appOf(identity("BYTES", [-1]));
  const bytes = (...elements: string[]): Tensor => ({
    name: "x",
    datatype: "BYTES",
    shape: [elements.length],
    data: bytesOfElements(elements.map((each) => Buffer.from(each, "latin1"))),
  });
  expect(await inBinary(app, [bytes("a", "ab\0cd")])).toEqual({
    status: 400,
    error: 'input "x": element 1 has a NUL at byte 2; ONNX Runtime takes strings without NUL only',
  });
  expect(await inJson(app, { inputs: [input("BYTES", [1], ["\0"])] })).toMatchObject({
    status: 400,
    error: expect.stringContaining('input "x": element 0 has a NUL at byte 0'),
  });
  expect(await inBinary(app, [bytes("\xff")])).toEqual({
    status: 400,
    error: 'input "x": element 0 is not UTF-8 text; ONNX Runtime takes strings in UTF-8 only',
  });
  const { output } = await inBinary(app, [bytes("", "\xc3\xa9")]);
  expect(output?.data).toEqual(bytes("", "\xc3\xa9").data);
});

it("refuses BF16 for an input of another type by its name", async () => {
  const bf16: Tensor = { name: "x", datatype: "BF16", shape: [1], data: new Uint8Array(2) };
  expect(await inBinary(appOf(identity("FP32", [-1])), [bf16])).toEqual({
    status: 400,
    error: 'input "x" is BF16[1]; model m takes FP32[-1] (-1: any size)',
  });
});

it("says of a model with BF16 why it cannot be loaded", async () => {
  const bf16: Tensor = { name: "x", datatype: "BF16", shape: [1], data: new Uint8Array(2) };
  expect(await inBinary(appOf(identity("BF16", [-1])), [bf16])).toMatchObject({
    status: 503,
    error: expect.stringContaining("an input or output is BF16, which ONNX Runtime for Node does not take"),
  });
});

it("says which output has a NaN that JSON cannot state, and gives it as binary data", async () => {
  const nan = tensorFromNumbers("x", "FP32", [2], [1, Number.NaN]);
  const app = appOf(identity("FP32", [-1]));
  expect((await inBinary(app, [nan])).output?.data).toEqual(nan.data);
  const wire = encodeInferRequest(
    { parameters: {}, inputs: [nan], outputs: [{ name: "y", parameters: { binary_data: false } }] },
    { binary: true },
  );
  const init = { method: "POST", headers: wireHeaders(wire), body: wire.body as Uint8Array<ArrayBuffer> };
  const response = await app.request("/v2/models/m/infer", init);
  expect([response.status, await response.json()]).toEqual([
    400,
    {
      error:
        'tensor "y": element 1 is NaN, which JSON cannot state; use the binary tensor data extension (binary_data or binary_data_output)',
    },
  ]);
});

it("gives the best classes of each row with the labels of the settings", async () => {
  const app = appOf(identity("FP32", [-1, 3]), { labels: ["cat", "dog", "owl"] });
  const inputs = [input("FP32", [2, 3], [0.5, 0.25, 0.75, 3, 2, 1])];
  const outputs = [{ name: "y", parameters: { classification: 2 } }];
  expect(await inJson(app, { inputs, outputs })).toMatchObject({
    status: 200,
    outputs: [
      {
        name: "y",
        datatype: "BYTES",
        shape: [2, 2],
        data: ["0.750000:2:owl", "0.500000:0:cat", "3.000000:0:cat", "2.000000:1:dog"],
      },
    ],
  });
  expect(
    await inJson(app, { inputs, outputs: [{ name: "y", parameters: { classification: 0 } }] }),
  ).toMatchObject({
    status: 400,
    error: 'classification of output "y" is 0; allowed: integers from 1',
  });
  const text = { inputs: [input("BYTES", [1], ["a"])], outputs };
  expect(await inJson(appOf(identity("BYTES", [-1])), text)).toMatchObject({
    status: 400,
    error: 'output "y" is BYTES[1]; classification takes integers, FP32 and FP64',
  });
});

it("refuses the steps of sequences", async () => {
  const app = appOf(identity("FP32", [-1]));
  const inputs = [input("FP32", [1], [1])];
  expect(await inJson(app, { inputs, parameters: { sequence_id: 7 } })).toMatchObject({
    status: 400,
    error: expect.stringContaining("parameters.sequence_id is 7; sequences are not supported"),
  });
  expect((await inJson(app, { inputs, parameters: { sequence_id: 0 } })).status).toBe(200);
});
