import { expect, test } from "vitest";
import {
  checkTensor,
  elementCount,
  tensorFromNumbers,
  tensorFromStrings,
  tensorToNumbers,
  tensorToStrings,
} from "./tensor.ts";

test("elements are the product of the dimensions, one for no dimensions", () => {
  expect(elementCount([])).toBe(1);
  expect(elementCount([1, 3, 48, 320])).toBe(46080);
  expect(elementCount([5, 0, 7])).toBe(0);
});

test.each([
  [[1, -1], "shape[1] is -1"],
  [[1.5], "shape[0] is 1.5"],
  [[Number.NaN], "shape[0] is NaN"],
  [[2 ** 32, 2 ** 32], "is too large; allowed: at most 2147483647 elements"],
  [[0, 2 ** 52], "is too large; allowed: at most 2147483647 elements"],
  [Array.from({ length: 33 }, () => 1), "33 dimensions; allowed: at most 32"],
])("shape %j is refused", (shape, message) => {
  expect(() => elementCount(shape)).toThrow(message);
});

test("a lower limit on elements can be stated", () => {
  expect(elementCount([10], 10)).toBe(10);
  expect(() => elementCount([11], 10, "inputs[0].shape")).toThrow(
    "inputs[0].shape [11] is too large; allowed: at most 10 elements",
  );
});

test("data must be as long as shape and datatype say", () => {
  const tensor = { name: "x", datatype: "FP32", shape: [2, 3], data: new Uint8Array(24) } as const;
  expect(() => checkTensor(tensor)).not.toThrow();
  expect(() => checkTensor({ ...tensor, shape: [2, 2] })).toThrow(
    'tensor "x" has 24 bytes of data; FP32[2,2] takes 16 bytes',
  );
  expect(() => checkTensor({ ...tensor, datatype: "BYTES", shape: [5] })).toThrow("but there are 24 bytes");
  expect(() => checkTensor({ ...tensor, datatype: "BYTES", shape: [6] })).not.toThrow();
});

test("a BOOL byte is 0 or 1", () => {
  const tensor = { name: "x", datatype: "BOOL", shape: [3], data: Uint8Array.of(0, 1, 2) } as const;
  expect(() => checkTensor(tensor)).toThrow('tensor "x": element 2 is 2; a BOOL byte is 0 or 1');
});

test.each([
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "FP32",
  "FP64",
  "BOOL",
] as const)("numbers go into a %s tensor and come out", (datatype) => {
  const tensor = tensorFromNumbers("x", datatype, [3], [0, 1, 1]);
  expect([...tensorToNumbers(tensor)]).toEqual([0, 1, 1]);
});

test("a tensor does not share memory with the floats it was made from", () => {
  const values = Float32Array.of(1, Number.NaN);
  const tensor = tensorFromNumbers("x", "FP32", [1, 2], values);
  values[0] = 9;
  expect([...tensorToNumbers(tensor)]).toEqual([1, Number.NaN]);
});

test("numbers that do not fit are refused", () => {
  expect(() => tensorFromNumbers("x", "INT8", [2], [1])).toThrow(
    'tensor "x" has 1 values; shape [2] takes 2',
  );
  expect(() => tensorFromNumbers("x", "INT8", [1], [128])).toThrow('tensor "x": element 0 is 128');
  expect(() => tensorFromNumbers("x", "BYTES", [1], [1])).toThrow("BYTES elements are not numbers");
  const data = new Uint8Array(BigInt64Array.of(2n ** 60n).buffer);
  expect(() => tensorToNumbers({ name: "x", datatype: "INT64", shape: [1], data })).toThrow(
    "element 0 is 1152921504606846976, beyond 2^53",
  );
  expect(() => tensorToNumbers({ name: "x", datatype: "FP16", shape: [1], data: new Uint8Array(2) })).toThrow(
    "FP16",
  );
});

test("strings go into a BYTES tensor and come out", () => {
  const tensor = tensorFromStrings("x", [2, 1], ["é", ""]);
  expect(tensor.datatype).toBe("BYTES");
  expect(tensorToStrings(tensor)).toEqual(["é", ""]);
  expect(() => tensorFromStrings("x", [3], ["a"])).toThrow("1 values; shape [3] takes 3");
  expect(() => tensorToStrings(tensorFromNumbers("x", "INT8", [1], [1]))).toThrow("only BYTES are strings");
});
