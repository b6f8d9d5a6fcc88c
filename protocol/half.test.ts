import { expect, test } from "vitest";
import { fromHalf, toHalf } from "./half.ts";

// From numpy: [np.array([v], np.float16).view(np.uint16)[0] for v in …]
test.each([
  [0, 0x0000],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [1 / 3, 0x3555],
  [65_504, 0x7bff],
  [65_519.99, 0x7bff],
  [65_520, 0x7c00],
  [-Infinity, 0xfc00],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [2 ** -25 * 1.0001, 0x0001],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [2 - 2 ** -12, 0x4000],
  [2 ** -14 - 2 ** -26, 0x0400],
])("%d is the half %d", (value, bits) => {
  expect(toHalf(value)).toBe(bits);
});

test("every half is its own nearest half", () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = fromHalf(bits);
    if (Number.isNaN(value)) expect(toHalf(value)).toBe(0x7e00);
    else if (toHalf(value) !== bits) expect([bits, value]).toBe(toHalf(value));
  }
});
