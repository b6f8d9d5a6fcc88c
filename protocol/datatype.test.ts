import { expect, test } from "vitest";
import { allowedValues, datatypes, elementBytes, integerRange, isDatatype } from "./datatype.ts";

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
    ["FP32", 4],
    ["FP64", 8],
    ["BYTES", 0],
  ]);
});

test("only the names of datatypes are datatypes, not those every object has", () => {
  expect(isDatatype("FP32")).toBe(true);
  for (const other of ["fp32", "BF16", "constructor", "__proto__", "", undefined, 1]) {
    expect(isDatatype(other)).toBe(false);
  }
});

test("integers range over their bits, or over what a number can state exactly", () => {
  expect(integerRange("INT8")).toEqual([-128, 127]);
  expect(integerRange("UINT64")).toEqual([0, Number.MAX_SAFE_INTEGER]);
  expect(integerRange("FP32")).toBeUndefined();
  expect(allowedValues("UINT8")).toBe("integers from 0 to 255");
});
