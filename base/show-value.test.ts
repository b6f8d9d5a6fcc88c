import { expect, test } from "vitest";
import { showValue } from "./show-value.ts";

test.each([
  ["a", '"a"'],
  [-0, "-0"],
  [1.5, "1.5"],
  [true, "true"],
  [undefined, "missing"],
  [null, "null"],
  [[1, 2], "an array of 2"],
  [{}, "an object"],
])("%j is shown as %s", (value, shown) => {
  expect(showValue(value)).toBe(shown);
});

test("a long string is cut", () => {
  expect(showValue("x".repeat(1e6))).toBe(`"${"x".repeat(60)}"... (1000000 characters)`);
});
