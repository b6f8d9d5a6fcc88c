import { expect, test } from "vitest";
import { checkFlag, readInteger, readName, readObject, readOptionalText, readParameters } from "./fields.ts";

test("a refusal names the place, the value and what is allowed", () => {
  expect(() => readObject([], "inputs[0]")).toThrow("inputs[0] is an array of 0; allowed is an object");
  expect(() => readName("", "name")).toThrow('name is ""; allowed is a non-empty string');
  expect(() => readInteger(1.5, "n", 0, 9)).toThrow("n is 1.5; allowed is an integer from 0 to 9");
  expect(() => checkFlag({ f: 1 }, "f", "parameters")).toThrow("parameters.f is 1; allowed is true or false");
});

test("null is as good as absent where a field is optional", () => {
  expect(readOptionalText(null, "id")).toBeUndefined();
  expect(readParameters(null, "parameters")).toEqual({});
});

test("parameters are strings, finite numbers and booleans", () => {
  expect(readParameters({ a: "", b: 0, c: false }, "p")).toEqual({ a: "", b: 0, c: false });
  for (const value of [null, [], {}, Number.POSITIVE_INFINITY]) {
    expect(() => readParameters({ a: value }, "p")).toThrow('p["a"] is');
  }
});

test("a parameter called __proto__ is a parameter like any other", () => {
  const parameters = readParameters(JSON.parse('{"__proto__": "x"}'), "p");
  expect(Object.entries(parameters)).toEqual([["__proto__", "x"]]);
  expect(Object.getPrototypeOf(parameters)).toBe(Object.prototype);
});
