import { expect, test } from "vitest";
import {
  allowedValues,
  datatypes,
  elementBytes,
  integerRange,
  isDatatype,
  rawBytes,
  rawView,
} from "./datatype.ts";
import { Buffer } from "node:buffer";

test("elements have the sizes of the specification", () => {
  expect(datatypes.map((datatype) => [datatype, elementBytes(datatype)])).toEqual([
    ["BOOL", 1],
    ["INT8", 1],
    ["INT16", 2],
    ["INT32", 4],
    ["INT64", 8],
    ["UINT8", 1],
    ["UINT16", 2],
    ["UINT32", 4],
    ["UINT64", 8],
    ["FP16", 2],
    ["BF16", 2],
    ["FP32", 4],
    ["FP64", 8],
    ["BYTES", 0],
  ]);
});

test("only the names of datatypes are datatypes, not those every object has", () => {
  expect(isDatatype("FP32")).toBe(true);
  for (const other of ["fp32", "FP8", "constructor", "__proto__", "", undefined, 1]) {
    expect(isDatatype(other)).toBe(false);
  }
});

test("integers range over their bits, or over what a number can state exactly", () => {
  expect(integerRange("INT8")).toEqual([-128, 127]);
  expect(integerRange("UINT64")).toEqual([0, Number.MAX_SAFE_INTEGER]);
  expect(integerRange("FP32")).toBeUndefined();
  expect(allowedValues("UINT8")).toBe("integers from 0 to 255");
  expect(allowedValues("UINT64")).toBe("integers from 0 to 18446744073709551615");
});

test("an aligned view shares memory with the bytes", () => {
  const bytes = new Uint8Array(8);
  expect(rawView("FP32", bytes).buffer).toBe(bytes.buffer);
});

test("unaligned bytes are read right, also those of a Buffer, whose slice() would stay unaligned", () => {
  const values = Float64Array.of(1.5, -2.5);
  const shifted = new Uint8Array(17);
  shifted.set(rawBytes(values), 1);
  expect(rawView("FP64", shifted.subarray(1))).toEqual(values);
  expect(rawView("FP64", Buffer.from(shifted.buffer, 1, 16))).toEqual(values);
});

test("elements are little-endian", () => {
  expect([...rawView("UINT16", Uint8Array.of(1, 2))]).toEqual([0x0201]);
});

test("a part of an element is a RangeError", () => {
  expect(() => rawView("INT32", new Uint8Array(6))).toThrow(RangeError);
});
