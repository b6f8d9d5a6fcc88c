import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import { decodeInferRequest, decodeInferResponse } from "./decode.ts";
import { tensorFromNumbers, tensorFromStrings } from "./tensor.ts";

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
  [{ inputs: [{ ...input, datatype: "FP8" }] }, 'inputs[0].datatype is "FP8"; allowed: BOOL, INT8'],
  [{ inputs: [{ ...input, datatype: "BF16" }] }, 'inputs[0] ("x"): BF16 has no form in JSON; use the binary'],
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
  [
    { inputs: [{ ...input, data: undefined, parameters: { shared_memory_region: "a" } }] },
    'inputs[0].parameters.shared_memory_region is "a"; shared memory is not served here',
  ],
  [
    { inputs: [input], outputs: [{ name: "y", parameters: { shared_memory_region: "a" } }] },
    'outputs[0].parameters.shared_memory_region is "a"; shared memory is not served here',
  ],
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
});

test.each([{ model_name: undefined }, { model_name: null }, { model_name: [] }])(
  "a response without the name of its model is of the model that the caller asked: %j",
  (named) => {
    const body = bytesOf({ outputs: [input], ...named });
    expect(decodeInferResponse(body, undefined, "asked").modelName).toBe("asked");
    expect(decodeInferResponse(body).modelName).toBe("");
  },
);

test("parameters of a response that are null, lists or objects are left out, at the top and of outputs", () => {
  const parameters = { a: null, b: [1], c: { d: 1 }, kept: 0.5, big: true };
  const body = bytesOf({
    model_version: 3,
    id: 7,
    parameters,
    outputs: [{ ...input, parameters, extra: [] }],
  });
  expect(decodeInferResponse(body)).toEqual({
    modelName: "",
    modelVersion: "3",
    id: "7",
    parameters: { kept: 0.5, big: true },
    outputs: [{ ...tensorFromNumbers("x", "INT8", [2], [1, 2]), parameters: { kept: 0.5, big: true } }],
  });
  const odd = bytesOf({ parameters: ["a"], outputs: [{ ...input, parameters: "none" }] });
  expect(decodeInferResponse(odd)).toMatchObject({ parameters: {}, outputs: [{ name: "x" }] });
});

const answer = (outputs: string) =>
  decodeInferResponse(Buffer.from(`{"model_name":"m","outputs":[${outputs}]}`));
const rawOf = (outputs: string) => answer(outputs).outputs[0]?.data;

test("NaN and infinities of a response are read as Python prints them, in floats only", () => {
  const floats = '"shape":[4],"data":[NaN,Infinity,-Infinity,-0.0]';
  const numbers = [Number.NaN, Infinity, -Infinity, -0];
  expect(rawOf(`{"name":"y","datatype":"FP32",${floats}}`)).toEqual(
    tensorFromNumbers("y", "FP32", [4], numbers).data,
  );
  expect(rawOf(`{"name":"y","datatype":"FP64",${floats}}`)).toEqual(
    tensorFromNumbers("y", "FP64", [4], numbers).data,
  );
  expect(() => rawOf(`{"name":"y","datatype":"INT8",${floats}}`)).toThrow("element 0 is NaN; INT8 allows");
  expect(() => rawOf('{"name":"y","datatype":"FP32","shape":[1],"data":[null]}')).toThrow(
    'outputs[0] ("y"): element 0 is null; FP32 allows',
  );
});

test("FP16 of a response in JSON is read, and a single element without an array", () => {
  expect(rawOf('{"name":"y","datatype":"FP16","shape":[3],"data":[1,-2,NaN]}')).toEqual(
    Uint8Array.of(0x00, 0x3c, 0x00, 0xc0, 0x00, 0x7e),
  );
  expect(() => rawOf('{"name":"y","datatype":"FP16","shape":[1],"data":[70000]}')).toThrow("FP16 allows");
  expect(rawOf('{"name":"y","datatype":"INT8","shape":[],"data":7}')).toEqual(Uint8Array.of(7));
});

test.each([
  [{ error: "no such model" }, 'the response has an error and no outputs: "no such model"'],
  [{}, "outputs is missing"],
  [{ outputs: null }, "outputs is null"],
  [{ outputs: [{ ...input, shape: null }] }, "outputs[0].shape is null"],
  [{ outputs: [{ ...input, data: [1] }] }, "has 1 elements"],
  [[], "response is an array of 0"],
])("the response %j is refused", (value, message) => {
  expect(() => decodeInferResponse(bytesOf(value))).toThrow(message);
});

test("a page of a proxy, short binary data and a wrong length are refused", () => {
  expect(() => decodeInferResponse(Buffer.from("<html>I am NaN</html>"))).toThrow("is not valid JSON");
  const header = bytesOf({ model_name: "m", outputs: [binaryInput] });
  expect(() => decodeInferResponse(Buffer.concat([header, Uint8Array.of(1)]), header.length)).toThrow(
    "binary_data_size is 2; 1 bytes of the body are left",
  );
  expect(() => decodeInferResponse(header, header.length + 1)).toThrow("an integer from 1 to");
  expect(() => decodeInferResponse(header, 0)).toThrow("raw body");
});

test.each(["NaN", "Infinity", "-Infinity"])("%s in a request is refused by name", (token) => {
  const body = `{"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[0.5, ${token}]}]}`;
  expect(() => decodeInferRequest(Buffer.from(body))).toThrow(
    `request is not valid JSON: ${token.replace("-", "")} at byte ${body.indexOf(token.replace("-", ""))}; ` +
      "JSON has no NaN and no infinities, so send that tensor as binary data (parameters.binary_data_size)",
  );
});

const sent = (datatype: string, shape: string, data: string) =>
  decodeInferRequest(
    Buffer.from(`{"inputs":[{"name":"x","datatype":"${datatype}","shape":${shape},"data":${data}}]}`),
  ).inputs[0]?.data;

test("64-bit integers are taken as they are printed, flat and nested", () => {
  const wide = [-(2n ** 63n), 9007199254740993n, -9007199254740995n, 2n ** 63n - 1n, 7n, 0n];
  const raw = new Uint8Array(BigInt64Array.from(wide).buffer);
  const pairs = [wide.slice(0, 2), wide.slice(2, 4), wide.slice(4)].map((pair) => `[${pair.join(",")}]`);
  const nested = `[${pairs.join(",")}]`;
  expect(sent("INT64", "[6]", `[${wide.join(" , ")}]`)).toEqual(raw);
  expect(sent("INT64", "[3,2]", nested)).toEqual(raw);
  const unsigned = [2n ** 64n - 1n, 2n ** 63n, 1n];
  expect(sent("UINT64", "[3]", `[${unsigned.join(",")}]`)).toEqual(
    new Uint8Array(BigUint64Array.from(unsigned).buffer),
  );
});

test.each([
  ["INT64", "9223372036854775808"],
  ["INT64", "-9223372036854775809"],
  ["INT64", "1e19"],
  ["INT64", '"9007199254740993"'],
  ["INT64", "9007199254740993.0"],
  ["UINT64", "18446744073709551616"],
  ["UINT64", "-9007199254740993"],
  ["INT32", "9007199254740993"],
  ["BOOL", "9007199254740993"],
  ["BYTES", "9007199254740993"],
])("%s does not take %s", (datatype, text) => {
  expect(() => sent(datatype, "[1]", `[${text}]`)).toThrow(/inputs\[0\] \("x"\): element 0 is .*allows/);
});

test("floats take integers of many digits, which some programs print for 1e20", () => {
  expect(sent("FP64", "[2]", "[100000000000000000000, 9007199254740993]")).toEqual(
    tensorFromNumbers("x", "FP64", [2], [1e20, 9007199254740992]).data,
  );
  expect(sent("FP32", "[1]", "[100000000000000000000]")).toEqual(
    tensorFromNumbers("x", "FP32", [1], [1e20]).data,
  );
});

test("strings stay what they are beside long integers", () => {
  const texts = ["9007199254740993", '\\"9007199254740993', "\0", "[NaN]", "é\u{1f600}"];
  const long = '{"name":"i","datatype":"INT64","shape":[1],"data":[9007199254740993]}';
  const text = `{"name":"t","datatype":"BYTES","shape":[${texts.length}],"data":${JSON.stringify(texts)}}`;
  const { inputs } = decodeInferRequest(Buffer.from(`{"inputs":[${long},${text}]}`));
  expect(inputs[1]).toEqual(tensorFromStrings("t", [texts.length], texts));
});

test("a parameter that is null is absent, and a long integer keeps its digits", () => {
  const body = `{"parameters":{"a":null,"seed":12345678901234567891},"inputs":[${JSON.stringify(input)}]}`;
  expect(decodeInferRequest(Buffer.from(body)).parameters).toEqual({ seed: 12345678901234567891n });
});
