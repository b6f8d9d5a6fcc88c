import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import { decodeInferRequest, decodeInferResponse } from "./decode.ts";
import { tensorFromNumbers } from "./tensor.ts";

const input = { name: "x", datatype: "INT8", shape: [2], data: [1, 2] };
const binaryInput = { name: "x", datatype: "INT8", shape: [2], parameters: { binary_data_size: 2 } };
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));
const decode = (value: unknown) => decodeInferRequest(bytesOf(value));

function decodeBinary(value: unknown, binary: number[]) {
  const header = bytesOf(value);
  return decodeInferRequest(Buffer.concat([header, Uint8Array.from(binary)]), header.length);
}

test("a plain request is read, unknown keys and nulls are passed over", () => {
  const request = decode({
    id: "42",
    parameters: null,
    inputs: [{ ...input, extra: 1 }],
    outputs: null,
    more: {},
  });
  expect(request).toEqual({
    id: "42",
    parameters: {},
    inputs: [tensorFromNumbers("x", "INT8", [2], [1, 2])],
  });
});

test("an empty list of outputs asks for all of them", () => {
  expect(decode({ inputs: [input], outputs: [] })).not.toHaveProperty("outputs");
});

test("binary tensors follow the JSON in order, mixed with tensors in JSON", () => {
  const inputs = [
    { ...binaryInput, name: "a", parameters: { binary_data_size: 2, keep: true } },
    { ...input, name: "b" },
    { ...binaryInput, name: "c" },
  ];
  const request = decodeBinary({ inputs, parameters: { binary_data_output: true } }, [1, 2, 3, 4]);
  expect(request).toEqual({
    parameters: { binary_data_output: true },
    inputs: [
      { ...tensorFromNumbers("a", "INT8", [2], [1, 2]), parameters: { keep: true } },
      tensorFromNumbers("b", "INT8", [2], [1, 2]),
      tensorFromNumbers("c", "INT8", [2], [3, 4]),
    ],
  });
});

test("binary data is not copied", () => {
  const header = bytesOf({ inputs: [binaryInput] });
  const body = new Uint8Array([...header, 1, 2]);
  expect(decodeInferRequest(body, header.length).inputs[0]?.data.buffer).toBe(body.buffer);
});

test("a length for a header that is all of the body is fine", () => {
  const body = bytesOf({ inputs: [input] });
  expect(decodeInferRequest(body, body.length)).toEqual(decodeInferRequest(body));
});

test.each([
  [[], "request is an array of 0; allowed: an object"],
  [{}, "inputs is missing; allowed: an array"],
  [{ inputs: [] }, "inputs is an empty array"],
  [{ inputs: [1] }, "inputs[0] is 1"],
  [{ inputs: [{ ...input, name: 7 }] }, "inputs[0].name is 7"],
  [{ inputs: [input, input] }, 'inputs[1].name is "x", as is inputs[0].name'],
  [{ inputs: [{ ...input, datatype: "BF16" }] }, 'inputs[0].datatype is "BF16"; allowed: BOOL, INT8'],
  [{ inputs: [{ ...input, shape: 2 }] }, "inputs[0].shape is 2"],
  [{ inputs: [{ ...input, shape: [2, -1] }] }, "inputs[0].shape[1] is -1; allowed: an integer from 0"],
  [
    { inputs: [{ ...input, shape: [65536, 65536] }] },
    "inputs[0].shape [65536,65536] is too large; allowed: at most",
  ],
  [{ inputs: [{ ...input, shape: [3] }] }, 'inputs[0] ("x").data has 2 elements; shape [3] takes 3'],
  [{ inputs: [{ ...input, data: undefined }] }, 'inputs[0] ("x").data is missing'],
  [{ inputs: [{ ...input, data: [1, 200] }] }, 'inputs[0] ("x"): element 1 is 200; INT8 allows'],
  [{ inputs: [{ ...input, parameters: { a: [] } }] }, 'inputs[0].parameters["a"] is an array of 0'],
  [{ inputs: [binaryInput] }, "there is no Inference-Header-Content-Length"],
  [{ inputs: [input], id: 7 }, "id is 7"],
  [{ inputs: [input], parameters: { binary_data_output: 1 } }, "parameters.binary_data_output is 1"],
  [{ inputs: [input], outputs: {} }, "outputs is an object"],
  [{ inputs: [input], outputs: [{ name: "y" }, { name: "y" }] }, "outputs[1].name"],
  [
    { inputs: [input], outputs: [{ name: "y", parameters: { binary_data: "yes" } }] },
    "outputs[0].parameters.binary",
  ],
  [{ inputs: [input], outputs: Array.from({ length: 1025 }, () => ({})) }, "outputs has 1025 entries"],
])("the request %j is refused", (value, message) => {
  expect(() => decode(value)).toThrow(message);
});

test.each([
  [binaryInput, [1], "inputs[0].parameters.binary_data_size is 2; 1 bytes of the body are left"],
  [binaryInput, [1, 2, 3], "the body has 1 bytes after the data of the last of the inputs"],
  [{ ...binaryInput, data: [1, 2] }, [1, 2], "has both data and parameters.binary_data_size"],
  [{ ...binaryInput, parameters: { binary_data_size: -1 } }, [1, 2], "binary_data_size is -1"],
  [{ ...binaryInput, parameters: { binary_data_size: "2" } }, [1, 2], 'binary_data_size is "2"'],
  [{ ...binaryInput, shape: [3] }, [1, 2], 'inputs[0] ("x") has 2 bytes of data; INT8[3] takes 3 bytes'],
  [{ ...binaryInput, datatype: "BOOL" }, [1, 2], "a BOOL byte is 0 or 1"],
])("the binary input %j is refused", (tensor, binary, message) => {
  expect(() => decodeBinary({ inputs: [tensor] }, binary)).toThrow(message);
});

test.each([-1, 1.5, Number.NaN, 1e9])("a header length of %d is refused", (headerBytes) => {
  expect(() => decodeInferRequest(bytesOf({ inputs: [input] }), headerBytes)).toThrow(
    `Inference-Header-Content-Length is ${headerBytes}; allowed: an integer from 1 to`,
  );
});

test("a raw body without JSON is refused by name", () => {
  expect(() => decodeInferRequest(Uint8Array.of(1, 2), 0)).toThrow(
    "raw body without a JSON header is not supported",
  );
});

test("a response is read, nulls of other servers are passed over", () => {
  const body = bytesOf({
    model_name: "m",
    model_version: null,
    id: null,
    parameters: null,
    outputs: [input],
  });
  expect(decodeInferResponse(body)).toEqual({
    modelName: "m",
    parameters: {},
    outputs: [tensorFromNumbers("x", "INT8", [2], [1, 2])],
  });
  expect(() => decodeInferResponse(bytesOf({ outputs: [] }))).toThrow("model_name is missing");
  expect(() => decodeInferResponse(bytesOf({ error: "x" }))).toThrow("model_name is missing");
});
