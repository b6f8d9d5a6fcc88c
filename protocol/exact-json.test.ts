import fc from "fast-check";
import { expect, test } from "vitest";
import { parseExactJson } from "./exact-json.ts";

test("whatever JSON.parse reads is read the same, but for the digits that it loses", () => {
  const asNumber = (_: string, item: unknown) => (typeof item === "bigint" ? Number(item) : item);
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
      const text = JSON.stringify(value, null, space);
      expect(JSON.stringify(parseExactJson(text), asNumber)).toBe(JSON.stringify(JSON.parse(text)));
    }),
  );
});

test("whatever JSON.parse refuses is refused", () => {
  const texts = [
    "",
    " ",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "{",
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,}',
    "{1:2}",
  ];
  texts.push(
    '"',
    '"\\"',
    '"\\x"',
    '"\n"',
    "01",
    "1.",
    ".5",
    "+1",
    "1e",
    "-",
    "--1",
    "0x10",
    "truee",
    "nul",
    "1 2",
  );
  texts.push("[1]]", "'a'", "[1 2]", '{"a" 1}', "NaNN", "\u00a01", '"a" "b"');
  for (const text of texts) {
    expect(() => JSON.parse(text) as unknown, text).toThrow(SyntaxError);
    expect(() => parseExactJson(text), text).toThrow(SyntaxError);
  }
});

test("integers that a number cannot state are big integers, and no others are", () => {
  expect(parseExactJson("[9007199254740991,9007199254740992,-9007199254740993,1000000000000000]")).toEqual([
    9007199254740991,
    9007199254740992n,
    -9007199254740993n,
    1000000000000000,
  ]);
  expect(parseExactJson("[1e19,0.30000000000000004,-0,1234567890123456.5]")).toEqual([
    1e19, 0.30000000000000004, -0, 1234567890123456.5,
  ]);
  expect(parseExactJson("9".repeat(400))).toBe(Infinity);
});

test("a member called __proto__ is one like any other, and the last of two counts", () => {
  const value = parseExactJson('{"__proto__":1,"a":1,"a":2}');
  expect(Object.entries(value as object)).toEqual([
    ["__proto__", 1],
    ["a", 2],
  ]);
});
