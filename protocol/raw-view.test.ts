import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import { rawBytes, rawView } from "./raw-view.ts";

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
