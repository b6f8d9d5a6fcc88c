import { expect, test } from "vitest";
import { bytesFromStrings, bytesOffsets, stringsFromBytes } from "./bytes-elements.ts";

test("strings become a length and UTF-8 each, and come back", () => {
  const strings = ["", "a", "é😀", "\uFEFFmark"];
  const data = bytesFromStrings(strings, "x");
  expect([...data.subarray(0, 9)]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 97]);
  expect(stringsFromBytes(data, 4, "x")).toEqual(strings);
  expect([...bytesOffsets(data, 4, "x")]).toEqual([0, 4, 9, 19, 30]);
});

test("elements must fill the data exactly", () => {
  const data = Uint8Array.of(1, 0, 0, 0, 97, 0, 0, 0, 0);
  expect(() => bytesOffsets(data, 1, "x")).toThrow(
    "x: 1 BYTES elements take 5 bytes, but there are 9 bytes of data",
  );
  expect(() => bytesOffsets(data, 3, "x")).toThrow("9 bytes of data are too few for 3 BYTES elements");
  expect(() => bytesOffsets(data.subarray(0, 8), 2, "x")).toThrow("inside the length of element 1");
  expect(() => bytesOffsets(Uint8Array.of(9, 0, 0, 0, 97), 1, "x")).toThrow(
    "x: element 0 says 9 bytes; 1 bytes are left",
  );
});

test("a count that cannot be true allocates nothing", () => {
  expect(() => bytesOffsets(new Uint8Array(8), 2 ** 20, "x")).toThrow("too few");
});

test("what is no Unicode text is refused in both directions", () => {
  expect(() => bytesFromStrings(["ok", "\ud800"], "x")).toThrow("x: element 1 is");
  expect(() => stringsFromBytes(Uint8Array.of(1, 0, 0, 0, 0xff), 1, "x")).toThrow(
    "x: element 0 is not UTF-8",
  );
});

test("a tensor of millions of empty elements is refused before anything is made of it", () => {
  const data = new Uint8Array(8 * 2 ** 20);
  expect(() => bytesOffsets(data, 2 * 2 ** 20, "x")).toThrow(
    "x has 2097152 BYTES elements; allowed: at most 1048576",
  );
});
