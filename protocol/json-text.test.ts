import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import { MAX_JSON_BYTES, MAX_JSON_DEPTH, parseJson } from "./json-text.ts";

test("brackets count for depth only outside strings", () => {
  const text = JSON.stringify({ a: "[".repeat(1000), b: '\\"[['.repeat(50) });
  expect(parseJson(Buffer.from(text), "x")).toEqual(JSON.parse(text));
});

const nested = (depth: number) => Buffer.from("[".repeat(depth) + "]".repeat(depth));

test("depth is bounded", () => {
  expect(parseJson(nested(MAX_JSON_DEPTH), "x")).toBeDefined();
  expect(() => parseJson(nested(MAX_JSON_DEPTH + 1), "x")).toThrow(
    "x is nested more than 64 deep at byte 64",
  );
  expect(() => parseJson(nested(1e6), "x")).toThrow("x is nested more than 64 deep");
});

test.each([
  ["", "x is not valid JSON"],
  ["{", "x is not valid JSON"],
  ["NaN", "x is not valid JSON"],
  ["{} {}", "x is not valid JSON"],
])("the text %j is refused", (text, message) => {
  expect(() => parseJson(Buffer.from(text), "x")).toThrow(message);
});

test("invalid UTF-8 is refused, not replaced", () => {
  expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), "x")).toThrow("x is not valid UTF-8");
});

test("too long a text is refused with 413 before anything looks at it", () => {
  expect(() => parseJson(new Uint8Array(MAX_JSON_BYTES + 1), "x")).toThrow(
    expect.objectContaining({ status: 413, message: expect.stringContaining("use binary data") }),
  );
});
