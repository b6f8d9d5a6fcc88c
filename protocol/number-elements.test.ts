import { expect, test } from "vitest";
import { packNumbers } from "./number-elements.ts";

const json = { place: "x", finite: true };

test("rows are packed one after the other", () => {
  expect([...packNumbers("INT16", [[1, -1], [], [256]], 3, json)]).toEqual([1, 0, 255, 255, 0, 1]);
});

test.each([
  ["INT8", 128, "x: element 1 is 128; INT8 allows integers from -128 to 127"],
  ["UINT8", -1, "UINT8 allows integers from 0 to 255"],
  ["INT32", 1.5, "x: element 1 is 1.5; INT32"],
  ["UINT32", "7", 'x: element 1 is "7"; UINT32'],
  ["INT32", null, "x: element 1 is null"],
  ["INT64", 2 ** 53, "beyond 2^53, print all digits, without exponent, or use binary data"],
  ["UINT64", -1, "UINT64 allows integers from 0 to 18446744073709551615"],
  ["BOOL", 2, "BOOL allows true, false, 1 and 0"],
  ["FP32", 1e39, "FP32 allows finite numbers of at most 3.4028235e38 in size"],
  ["FP32", true, "x: element 1 is true"],
  ["FP64", Number.POSITIVE_INFINITY, "FP64 allows finite numbers"],
] as const)("%s refuses %j with its index and what is allowed", (datatype, value, message) => {
  expect(() => packNumbers(datatype, [[0, value]], 2, json)).toThrow(message);
});

test("the usual text of the largest float is taken, although it lies above it", () => {
  expect(packNumbers("FP32", [[3.4028235e38]], 1, json)).toHaveLength(4);
});

test("NaN and infinities pass where they are not forbidden, but no finite value becomes one", () => {
  const raw = { place: "x", finite: false };
  const values = [Number.NaN, Number.POSITIVE_INFINITY];
  expect(packNumbers("FP32", [values], 2, raw)).toHaveLength(8);
  expect(packNumbers("FP64", [values], 2, raw)).toHaveLength(16);
  expect(() => packNumbers("FP32", [[1e39]], 1, raw)).toThrow("element 0 is 1e+39");
});

test("FP16 and BF16 are refused with a pointer to binary data", () => {
  expect(() => packNumbers("FP16", [[1]], 1, json)).toThrow(
    "x: FP16 has no form in JSON; use the binary tensor",
  );
  expect(() => packNumbers("BF16", [[1]], 1, json)).toThrow(
    "x: BF16 has no form in JSON; use the binary tensor",
  );
});
