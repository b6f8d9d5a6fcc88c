import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import { binaryWanted, encodeInferRequest, encodeInferResponse } from "./encode.ts";
import type { InferRequest, InferResponse, WireBody } from "./message.ts";
import { tensorFromNumbers } from "./tensor.ts";

const tensor = tensorFromNumbers("x", "INT8", [2], [1, 2]);
const request: InferRequest = { parameters: {}, inputs: [tensor] };
const response: InferResponse = {
  modelName: "m",
  parameters: {},
  outputs: [tensor, { ...tensor, name: "y" }],
};
const headOf = ({ body, headerBytes }: WireBody): unknown =>
  JSON.parse(Buffer.from(body.subarray(0, headerBytes)).toString());

test("a plain request is the JSON of the specification", () => {
  const wire = encodeInferRequest({ ...request, id: "1", outputs: [{ name: "y" }] }, { binary: false });
  expect(wire).not.toHaveProperty("headerBytes");
  expect(headOf(wire)).toEqual({
    id: "1",
    outputs: [{ name: "y" }],
    inputs: [{ name: "x", datatype: "INT8", shape: [2], data: [1, 2] }],
  });
});

test("a binary request sends inputs as binary data and asks for outputs as such", () => {
  const outputs = [{ name: "y", parameters: { binary_data: false } }];
  const wire = encodeInferRequest({ ...request, parameters: { priority: 1 }, outputs }, { binary: true });
  expect(headOf(wire)).toEqual({
    parameters: { priority: 1, binary_data_output: true },
    outputs,
    inputs: [{ name: "x", datatype: "INT8", shape: [2], parameters: { binary_data_size: 2 } }],
  });
  expect([...wire.body.subarray(wire.headerBytes)]).toEqual([1, 2]);
});

test("binary data starts at a multiple of eight bytes", () => {
  for (const id of ["", "1", "12", "ééé"]) {
    const { headerBytes, body } = encodeInferRequest({ ...request, id }, { binary: true });
    expect(headerBytes).toBe(body.length - 2);
    expect((headerBytes ?? 1) % 8).toBe(0);
  }
});

test("an output travels as it is wanted", () => {
  const wire = encodeInferResponse({ ...response, modelVersion: "2", id: "7" }, (name) => name === "y");
  expect(headOf(wire)).toEqual({
    model_name: "m",
    model_version: "2",
    id: "7",
    outputs: [
      { name: "x", datatype: "INT8", shape: [2], data: [1, 2] },
      { name: "y", datatype: "INT8", shape: [2], parameters: { binary_data_size: 2 } },
    ],
  });
  expect(encodeInferResponse(response, () => false)).not.toHaveProperty("headerBytes");
});

test("the wish of an output goes before that of its request", () => {
  const outputs = [
    { name: "x", parameters: { binary_data: false } },
    { name: "y", parameters: { binary_data: true } },
  ];
  const wants = (parameters: InferRequest["parameters"]) => {
    const wanted = binaryWanted({ ...request, parameters, outputs });
    return ["x", "y", "z"].map((name) => wanted(name));
  };
  expect(wants({})).toEqual([false, true, false]);
  expect(wants({ binary_data_output: true })).toEqual([false, true, true]);
});

test("what cannot be written is refused instead of written wrong", () => {
  const half = { name: "x", datatype: "FP16", shape: [1], data: new Uint8Array(2) } as const;
  expect(() => encodeInferResponse({ ...response, outputs: [half] }, () => false)).toThrow(
    "binary tensor data",
  );
  expect(() => encodeInferResponse({ ...response, outputs: [half] }, () => true)).not.toThrow();
  const short = { ...tensor, data: new Uint8Array(1) };
  expect(() => encodeInferRequest({ ...request, inputs: [short] }, { binary: true })).toThrow(
    "has 1 bytes of data",
  );
  expect(() => encodeInferRequest({ ...request, parameters: { a: Number.NaN } }, { binary: true })).toThrow(
    'parameter "a" is NaN',
  );
});

test("a request without binary data says nothing of it, for servers that do not know it", () => {
  const wire = encodeInferRequest(
    {
      parameters: { binary_data_output: true, seed: 2n ** 64n - 1n, part: 2 ** 60, t: 0.5 },
      inputs: [tensor],
      outputs: [{ name: "y", parameters: { binary_data: true, classification: 2 } }],
    },
    { binary: false },
  );
  expect(wire).not.toHaveProperty("headerBytes");
  expect(Buffer.from(wire.body).toString()).toBe(
    '{"parameters":{"seed":18446744073709551615,"part":1152921504606846976,"t":0.5},' +
      '"outputs":[{"name":"y","parameters":{"classification":2}}],' +
      '"inputs":[{"name":"x","datatype":"INT8","shape":[2],"data":[1,2]}]}',
  );
});

test("a server that takes JSON only gets FP16 as numbers; what has no JSON form is refused by name", () => {
  const inputs = [
    { name: "x", datatype: "FP16", shape: [3], data: Uint8Array.of(0, 0x3c, 1, 0, 0xff, 0xfb) } as const,
  ];
  expect(headOf(encodeInferRequest({ parameters: {}, inputs }, { binary: false }))).toEqual({
    inputs: [{ name: "x", datatype: "FP16", shape: [3], data: [1, 2 ** -24, -65504] }],
  });
  const nan = tensorFromNumbers("x", "FP32", [1], [Number.NaN]);
  const bytes = { name: "x", datatype: "BYTES", shape: [1], data: Uint8Array.of(1, 0, 0, 0, 0xc0) } as const;
  const bf16 = { name: "x", datatype: "BF16", shape: [1], data: new Uint8Array(2) } as const;
  for (const input of [nan, bytes, bf16]) {
    expect(() => encodeInferRequest({ parameters: {}, inputs: [input] }, { binary: false })).toThrow(
      /^tensor "x".*(binary tensor data extension|binary data)/,
    );
    expect(() => encodeInferRequest({ parameters: {}, inputs: [input] }, { binary: true })).not.toThrow();
  }
});
