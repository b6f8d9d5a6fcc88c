import { expect, it } from "vitest";
import { parseSeries } from "./series.ts";

it("reads the column `value`, wherever it is", () => {
  expect(parseSeries("value\n1\n-2.5\n", "a.csv")).toEqual([1, -2.5]);
  expect(parseSeries("t,value,note\r\n0,3,x\r\n1,4e2,y", "a.csv")).toEqual([3, 400]);
});

it("names file, line and column of what it cannot read", () => {
  expect(() => parseSeries("t,value\n0,1\n10,x\n", "a.csv")).toThrow(
    'a.csv:3:4: value is "x"; allowed: a number',
  );
  expect(() => parseSeries("value\n1\n\n2\n", "a.csv")).toThrow('a.csv:3:1: value is ""');
  expect(() => parseSeries("value\n1\n-1\n", "a.csv", 0)).toThrow(
    'a.csv:3:1: value is "-1"; allowed: a number of at least 0',
  );
  expect(() => parseSeries("t\n1\n", "a.csv")).toThrow('a.csv:1:1: the header is "t"');
  expect(() => parseSeries("value\n", "a.csv")).toThrow("a.csv:1:1: there are no values");
  expect(() => parseSeries("", "a.csv")).toThrow("a.csv:1:1");
});
