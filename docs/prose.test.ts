import { expect, it } from "vitest";
import { wrapProse } from "./prose.ts";

it("wraps paragraphs, and items of lists below their text", () => {
  expect(wrapProse("one two three\nfour", 9)).toBe("one two\nthree\nfour");
  expect(wrapProse("- one two\n  three\n- four", 9)).toBe("- one two\n  three\n- four");
});

it("leaves code, tables and headings alone, and breaks no code span", () => {
  const text = "# a long heading\n\n```sh\na   long line of code\n```\n\n| a | long | row |\n|---|---|---|";
  expect(wrapProse(text, 8)).toBe(text);
  expect(wrapProse("see `npm run x` now", 8)).toBe("see\n`npm run x`\nnow");
});

it("begins no line with what would be a list there", () => {
  expect(wrapProse("one two - three", 8)).toBe("one two -\nthree");
});

it("changes nothing that is wrapped", () => {
  const text = "one two\nthree\n\n1. four\n   five";
  expect(wrapProse(text, 8)).toBe(wrapProse(wrapProse(text, 8), 8));
});
