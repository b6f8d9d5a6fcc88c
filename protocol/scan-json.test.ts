import { expect, it } from "vitest";
import { decodeInferRequest, mostParameterBytes, mostParameters } from "./decode.ts";
import { longestName, parseJson } from "./fields.ts";
import { mostInnerValues, mostOuterBytes, mostOuterValues } from "./scan-json.ts";

const list = (item: string, count: number): string => `[${Array<string>(count).fill(item).join(",")}]`;
const numbered = (count: number, each: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => each(index)).join(",");
/** A request for one input, with more members where there is room for them. */
const message = ({ input = "", data = "[1]", count = 1, more = "" }): Uint8Array =>
  Buffer.from(`{"inputs":[{"name":"x","datatype":"FP32","shape":[${count}]${input},"data":${data}}]${more}}`);
const decode = (given: Parameters<typeof message>[0]) => decodeInferRequest(message(given));

const outside = /more than 65536 values outside the data of tensors/;

it.each<[string, Parameters<typeof message>[0], RegExp]>([
  ["parameters", { more: `,"parameters":{${numbered(200_000, (i) => `"p${i}":1`)}}` }, outside],
  ["small objects", { more: `,"x":${list('{"a":1}', 50_000)}` }, outside],
  ["empty arrays", { more: `,"x":${list("[]", 40_000)}` }, outside],
  ["numbers", { more: `,"x":${list("1", 70_000)}` }, outside],
  ["duplicate keys", { more: `,"id":"a"`.repeat(70_000) }, outside],
  ["objects within data", { data: list('{"a":1}', 50_000) }, outside],
  ["numbers after an object within data", { data: `[{},${list("1", 70_000).slice(1)}` }, outside],
  ["a key `data` that is no tensor's", { more: `,"outputs":[[{"data":${list("1", 70_000)}}]]` }, outside],
  ["a key `data` of parameters", { more: `,"parameters":{"a":{"data":${list("1", 70_000)}}}` }, outside],
  ["a dimension of a shape", { input: `,"shape":${list("1", 70_000)}` }, outside],
  ["a key `data` with escapes", { input: `,"d\\u0061ta":${list("1", 70_000)}` }, outside],
  ["requested outputs", { more: `,"outputs":${list('{"name":"y"}', 40_000)}` }, outside],
  [
    "arrays within data",
    { data: list("[1]", 1_100_000) },
    /more than 1048576 strings and arrays in its data/,
  ],
  [
    "strings within data",
    { data: list('""', 1_100_000) },
    /more than 1048576 strings and arrays in its data/,
  ],
  [
    "a long id",
    { more: `,"id":"${"x".repeat(mostOuterBytes)}"` },
    /more than 1048576 bytes outside the data/,
  ],
  ["white space", { more: " ".repeat(mostOuterBytes) }, /more than 1048576 bytes outside the data/],
])("refuses too many %s before it parses them", (_, given, why) => {
  expect(() => decode(given)).toThrow(
    expect.objectContaining({ status: 413, message: expect.stringMatching(why) }),
  );
});

it("takes as many numbers in data as fit, flat or nested, in any order of the members", () => {
  const count = mostOuterValues * 4;
  expect(decode({ count, data: list("1.5", count) }).inputs[0]?.data).toHaveLength(count * 4);
  const rows = list("[1,2]", count / 2);
  const text = `{"inputs":[{"data":${rows},"shape":[${count / 2},2],"datatype":"INT8","name":"x"}]}`;
  expect(decodeInferRequest(Buffer.from(text)).inputs[0]?.data).toHaveLength(count);
  const strings = `{"inputs":[{"name":"x","datatype":"BYTES","shape":[${mostInnerValues - 1}],"data":${list('"\\""', mostInnerValues - 1)}}]}`;
  expect(decodeInferRequest(Buffer.from(strings)).inputs[0]?.data).toHaveLength((mostInnerValues - 1) * 5);
});

it("bounds the values of other texts, and takes what is well within", () => {
  expect(parseJson(Buffer.from(list("1", 200_000)), "x")).toHaveLength(200_000);
  expect(() => parseJson(Buffer.from(list("1", 300_000)), "x")).toThrow("x has more than 262144 values");
});

it("bounds the number and the bytes of parameters over the whole request", () => {
  const parameters = (count: number, value: string): string =>
    `,"parameters":{${numbered(count, (i) => `"${i}":${value}`)}}`;
  expect(() => decode({ more: parameters(mostParameters + 1, "1") })).toThrow(
    "the request has 2049 parameters; allowed: at most 2048",
  );
  expect(() => decode({ more: parameters(1_500, "1"), input: parameters(1_000, "1") })).toThrow(/2500 param/);
  const long = JSON.stringify("é".repeat(mostParameterBytes / 2));
  expect(() => decode({ more: parameters(1, long) })).toThrow(
    "the parameters of the request have 65537 bytes; allowed: at most 65536",
  );
  expect(decode({ more: parameters(1_000, '"value"') }).parameters).toHaveProperty("999", "value");
});

it("bounds the length of names", () => {
  const named = (length: number) => decode({ input: `,"name":"${"x".repeat(length)}"` });
  expect(named(longestName).inputs[0]?.name).toHaveLength(longestName);
  expect(() => named(longestName + 1)).toThrow(/allowed: at most 1024 characters/);
});

it("quotes little of a text that is no JSON", () => {
  const text = `{"inputs":[{"name": ${"y".repeat(10_000)}`;
  const error = (() => {
    try {
      decodeInferRequest(Buffer.from(text));
    } catch (thrown) {
      return thrown as Error;
    }
    return undefined;
  })();
  expect(error?.message.length).toBeLessThan(200);
});
