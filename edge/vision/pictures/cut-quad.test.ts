import { expect, it } from "vitest";
import { cutQuad, turnAround } from "./cut-quad.ts";

/** A picture whose pixels are grey of the given values. */
const picture = (width: number, values: number[]) => ({
  width,
  height: values.length / width,
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
});
const greys = ({ data }: { data: Uint8Array }) => Array.from(data).filter((_, index) => index % 3 === 0);
const numbers = picture(4, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);

it("cuts an upright part pixel by pixel", () => {
  const part = cutQuad(numbers, [
    { x: 1, y: 1 },
    { x: 4, y: 1 },
    { x: 4, y: 3 },
    { x: 1, y: 3 },
  ]);
  expect([part.width, part.height, greys(part)]).toEqual([3, 2, [5, 6, 7, 9, 10, 11]]);
});

it("lays down what stands on its side, by a quarter turn to the left", () => {
  const part = cutQuad(numbers, [
    { x: 1, y: 0 },
    { x: 2, y: 0 },
    { x: 2, y: 3 },
    { x: 1, y: 3 },
  ]);
  expect([part.width, part.height, greys(part)]).toEqual([3, 1, [1, 5, 9]]);
});

it("goes on with the pixels of the edge beyond it", () => {
  const part = cutQuad(numbers, [
    { x: -2, y: 0 },
    { x: 1, y: 0 },
    { x: 1, y: 1 },
    { x: -2, y: 1 },
  ]);
  expect(greys(part)).toEqual([0, 0, 0]);
});

it("turns a picture around", () => {
  expect(greys(turnAround(numbers))).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
});
