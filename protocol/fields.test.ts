import { expect, test } from "vitest";
import {
  checkFlag,
  maxJsonBytes,
  parseJson,
  readInteger,
  readName,
  readObject,
  readOptionalText,
  readParameters,
} from "./fields.ts";
import { Buffer } from "node:buffer";
import { maxJsonDepth } from "./scan-json.ts";

test("a refusal names the place, the value and what is allowed", () => {
  expect(() => readObject([], "inputs[0]")).toThrow("inputs[0] is an array of 0; allowed: an object");
  expect(() => readName("", "name")).toThrow('name is ""; allowed: a non-empty string');
  expect(() => readInteger(1.5, "n", 0, 9)).toThrow("n is 1.5; allowed: an integer from 0 to 9");
  expect(() => checkFlag({ f: 1 }, "f", "parameters")).toThrow("parameters.f is 1; allowed: true or false");
});

test("null is as good as absent where a field is optional", () => {
  expect(readOptionalText(null, "id")).toBeUndefined();
  expect(readParameters(null, "parameters")).toEqual({});
});

test("parameters are strings, finite numbers and booleans", () => {
  expect(readParameters({ a: "", b: 0, c: false }, "p")).toEqual({ a: "", b: 0, c: false });
  for (const value of [[], {}, Number.POSITIVE_INFINITY]) {
    expect(() => readParameters({ a: value }, "p")).toThrow('p["a"] is');
  }
});

test("a parameter called __proto__ is a parameter like any other", () => {
  const parameters = readParameters(JSON.parse('{"__proto__": "x"}'), "p");
  expect(Object.entries(parameters)).toEqual([["__proto__", "x"]]);
  expect(Object.getPrototypeOf(parameters)).toBe(Object.prototype);
});

test("brackets count for depth only outside strings", () => {
  const text = JSON.stringify({ a: "[".repeat(1000), b: '\\"[['.repeat(50) });
  expect(parseJson(Buffer.from(text), "x")).toEqual(JSON.parse(text));
});

const nested = (depth: number) => Buffer.from("[".repeat(depth) + "]".repeat(depth));

test("depth is bounded", () => {
  expect(parseJson(nested(maxJsonDepth), "x")).toBeDefined();
  expect(() => parseJson(nested(maxJsonDepth + 1), "x")).toThrow("x is nested more than 64 deep at byte 64");
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
  expect(() => parseJson(new Uint8Array(maxJsonBytes + 1), "x")).toThrow(
    expect.objectContaining({ status: 413, message: expect.stringContaining("use binary data") }),
  );
});
