import { describe, expect, it } from "vitest";
import { readDirection } from "./read-line.ts";

describe("readDirection", () => {
  it("takes the likelier of the two directions", () => {
    expect(readDirection([0.9, 0.1])).toBe(false);
    expect(readDirection(new Float32Array([0.1, 0.9]))).toBe(true);
  });

  it("refuses anything but two numbers", () => {
    for (const wrong of [[], [1], [0.2, 0.3, 0.5], [0.5, Number.NaN]]) {
      expect(() => readDirection(wrong)).toThrow(RangeError);
    }
  });
});
