import { expect, it } from "vitest";
import { tensorDifference } from "./tensor-difference.ts";
import { tensorFromNumbers, tensorFromStrings } from "./tensor.ts";

const y = (...values: number[]) => [tensorFromNumbers("y", "FP32", [values.length], values)];

it("is the largest difference as a part of the largest magnitude", () => {
  expect(tensorDifference(y(1, -4), y(1, -4))).toEqual({ difference: 0, where: "" });
  const { difference, where } = tensorDifference(y(1, -4), y(1.04, -4));
  expect(difference).toBeCloseTo(0.01, 6);
  expect(where).toBe("output y differs by 1.0 %");
});

it("sees a column of small numbers beside large ones, unless it differs by rounding", () => {
  const boxes = (...scores: number[]) => [
    tensorFromNumbers(
      "boxes",
      "FP32",
      [scores.length, 3],
      scores.flatMap((score) => [600, -120, score]),
    ),
  ];
  const { difference, where } = tensorDifference(boxes(0.8, 0.2, 0.4, 0.6), boxes(0.4, 0.1, 0.2, 0.3));
  expect(difference).toBeCloseTo(0.5 / 20, 6);
  expect(where).toBe("column 2 of output boxes differs by 50 %");
  const tiny = (factor: number) => boxes(...[1, 2, 3, 4].map((score) => 1e-9 * factor * score));
  expect(tensorDifference(tiny(1), tiny(2)).difference).toBeLessThan(1e-9);
});

it("does not look at columns of so few numbers that all may be near 0", () => {
  const rows = (last: number) => [tensorFromNumbers("y", "FP32", [1, 2], [1, last])];
  expect(tensorDifference(rows(0.001), rows(0.003)).difference).toBeCloseTo(0.002, 6);
});

it("takes NaN for equal to NaN and not to a number", () => {
  expect(tensorDifference(y(1, Number.NaN), y(1, Number.NaN)).difference).toBe(0);
  expect(tensorDifference(y(1, Number.NaN), y(1, 2))).toMatchObject({ difference: Infinity });
});

it("is infinite for other shapes, types, names, integers and texts", () => {
  const one = y(1, 2);
  const others = [
    [],
    [tensorFromNumbers("y", "FP32", [2, 1], [1, 2])],
    [tensorFromNumbers("y", "FP64", [2], [1, 2])],
  ];
  for (const other of others) expect(tensorDifference(one, other).difference).toBe(Infinity);
  const integers = [1, 2].map((value) => [tensorFromNumbers("y", "INT32", [1], [value])]);
  expect(tensorDifference(integers[0] ?? [], integers[1] ?? []).where).toBe("output y has other values");
  const texts = ["a", "b"].map((value) => [tensorFromStrings("y", [1], [value])]);
  expect(tensorDifference(texts[0] ?? [], texts[1] ?? []).difference).toBe(Infinity);
});

it("compares halves by their values", () => {
  const half = (bits: number) => [
    {
      name: "y",
      datatype: "FP16" as const,
      shape: [1],
      data: new Uint8Array(new Uint16Array([bits]).buffer),
    },
  ];
  expect(tensorDifference(half(0x3c00), half(0x3c01)).difference).toBeCloseTo(2 ** -10, 9);
  expect(tensorDifference(half(0x3c00), half(0x7c00)).difference).toBe(Infinity);
});
