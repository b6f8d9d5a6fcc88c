import { expect, test } from "vitest";
import { jsonFromRaw, rawFromJson } from "./json-data.ts";
import { tensorFromNumbers, tensorFromStrings } from "./tensor.ts";

test("nested and flat data are the same", () => {
  const nested = rawFromJson("INT8", [2, 1, 3], [[[1, 2, 3]], [[4, 5, 6]]], "x");
  expect([...nested]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(rawFromJson("INT8", [2, 1, 3], [1, 2, 3, 4, 5, 6], "x")).toEqual(nested);
  expect(rawFromJson("BYTES", [2, 1], [["a"], ["b"]], "x")).toEqual(
    rawFromJson("BYTES", [2, 1], ["a", "b"], "x"),
  );
});

test("an empty dimension takes empty data", () => {
  for (const [shape, data] of [
    [[0, 3], []],
    [
      [2, 0],
      [[], []],
    ],
    [[2, 0], []],
  ]) {
    expect(rawFromJson("FP32", shape as number[], data, "x")).toHaveLength(0);
  }
});

test.each([
  [[3], [1, 2], "x.data has 2 elements; shape [3] takes 3"],
  [[2, 2], [[1, 2], [3]], "x.data has an array of 1 at nesting depth 2"],
  [[2, 2], [[1, 2], 3], "x.data holds 3 at nesting depth 1"],
  [[2, 2], [[1, 2]], "x.data has an array of 1 at nesting depth 1"],
  [[1], [[1]], "x: element 0 is an array of 1"],
  [[2], [1, [2]], "x: element 1 is an array of 1"],
  [[], [[1]], "shape [] takes one flat element"],
  [[], 1, "x.data is 1; allowed: an array"],
  [[1], undefined, "x.data is missing"],
  [[1], { 0: 1, length: 1 }, "x.data is an object"],
])("for shape %j, data %j is refused", (shape, data, message) => {
  expect(() => rawFromJson("FP32", shape, data, "x")).toThrow(message);
});

test("arrays that would multiply to more memory than was sent are refused before memory is taken", () => {
  const long = Array.from({ length: 40_000 }, () => 0);
  const lopsided = [long, ...Array.from({ length: 39_999 }, () => [])];
  expect(() => rawFromJson("FP64", [40_000, 40_000], lopsided, "x")).toThrow("array of 0 at nesting depth 2");
});

test("data nested a million deep does not exhaust the stack", () => {
  let data: unknown = 1;
  for (let depth = 0; depth < 1e6; depth++) data = [data];
  expect(() => rawFromJson("FP32", [1, 1], data, "x")).toThrow("element 0 is an array of 1");
});

test("BYTES are strings in JSON", () => {
  expect(() => rawFromJson("BYTES", [2], ["a", 1], "x")).toThrow("x: element 1 is 1; BYTES allows");
  expect(jsonFromRaw(tensorFromStrings("x", [2], ["é", '"']))).toBe('["é","\\""]');
});

test("64-bit integers are printed exactly", () => {
  const data = new Uint8Array(BigInt64Array.of(-(2n ** 63n), 9007199254740993n).buffer);
  expect(jsonFromRaw({ name: "x", datatype: "INT64", shape: [2], data })).toBe(
    "[-9223372036854775808,9007199254740993]",
  );
});

test("booleans are printed as such, and negative zero keeps its sign", () => {
  expect(jsonFromRaw(tensorFromNumbers("x", "BOOL", [2], [0, 1]))).toBe("[false,true]");
  expect(jsonFromRaw(tensorFromNumbers("x", "FP32", [3], [0, -0, 1.5]))).toBe("[0,-0,1.5]");
});

test("what JSON cannot state is refused with a pointer to binary data", () => {
  const half = { name: "x", datatype: "FP16", shape: [1], data: new Uint8Array(2) } as const;
  expect(() => jsonFromRaw(half)).toThrow("binary tensor data extension");
  expect(() => jsonFromRaw({ ...half, datatype: "BF16" })).toThrow(
    'tensor "x": BF16 has no JSON form; use the binary tensor data extension',
  );
  expect(() => rawFromJson("FP16", [1], [1], "x")).toThrow("binary tensor data extension");
  for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
    expect(() => jsonFromRaw(tensorFromNumbers("x", "FP64", [2], [0, value]))).toThrow(
      `tensor "x": element 1 is ${value}, which JSON cannot state; use the binary tensor data extension`,
    );
  }
  const bytes = { name: "x", datatype: "BYTES", shape: [1], data: Uint8Array.of(1, 0, 0, 0, 0xc0) } as const;
  expect(() => jsonFromRaw(bytes)).toThrow("not UTF-8 text; take this tensor as binary data");
});
