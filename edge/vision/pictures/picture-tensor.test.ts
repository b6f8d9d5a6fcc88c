import { expect, it } from "vitest";
import { numbersOf } from "../../../protocol/tensor-numbers.ts";
import { type PictureTensorForm, picturesOf, pictureTensor } from "./picture-tensor.ts";

const picture = { width: 2, height: 1, data: new Uint8Array([0, 51, 255, 255, 102, 0]) };
const zeros = [0, 0, 0];
const plain: PictureTensorForm = {
  name: "x",
  datatype: "FP32",
  channels: "RGB",
  layout: "NHWC",
  mean: zeros,
  std: [1, 1, 1],
  scale: 51,
  invert: false,
};

function numbers(form: Partial<PictureTensorForm>): number[] {
  return Array.from(numbersOf(pictureTensor([picture], { ...plain, ...form })));
}

it("keeps pixels together or makes planes, in either order of colours", () => {
  expect(numbers({})).toEqual([0, 1, 5, 5, 2, 0]);
  expect(numbers({ layout: "NCHW" })).toEqual([0, 5, 1, 2, 5, 0]);
  expect(numbers({ channels: "BGR" })).toEqual([5, 1, 0, 0, 2, 5]);
});

it("subtracts the mean and divides by the deviation after the scale", () => {
  const values = numbers({ mean: [1, 2, 3], std: [0.5, 1, 2], scale: 255 });
  expect(values.slice(0, 3)).toEqual([-2, expect.closeTo(-1.8, 6), -1]);
});

it("makes halves, and bytes that are rounded and cut", () => {
  const halves = pictureTensor([picture], { ...plain, datatype: "FP16" });
  expect(halves).toMatchObject({ datatype: "FP16", shape: [1, 1, 2, 3] });
  expect(halves.data).toHaveLength(12);
  expect(numbers({ datatype: "FP16" })).toEqual([0, 1, 5, 5, 2, 0]);
  expect(numbers({ datatype: "UINT8", scale: 1 })).toEqual(Array.from(picture.data));
  expect(numbers({ datatype: "UINT8", scale: 1, mean: [-2, 52, 0.4] })).toEqual([2, 0, 255, 255, 50, 0]);
});

it("weighs colours by their lightness for grey, with or without a dimension of channels, and inverts", () => {
  const grey = { channels: "grey", mean: [0], std: [1], scale: 1 } as const;
  // 0.587 of 51 and 0.114 of 255; 0.299 of 255 and 0.587 of 102.
  expect(numbers(grey)).toEqual([59, 136]);
  expect(numbers({ ...grey, invert: true })).toEqual([196, 119]);
  expect(pictureTensor([picture, picture], { ...plain, ...grey }).shape).toEqual([2, 1, 2, 1]);
  expect(pictureTensor([picture], { ...plain, ...grey, isFlat: true }).shape).toEqual([1, 1, 2]);
});

it("refuses a request without a picture", () => {
  const image = { name: "image", datatype: "BYTES", shape: [0], data: new Uint8Array() } as const;
  expect(() => picturesOf([image], { width: 8, height: 8 })).toThrow(
    "the request has no picture; allowed: 1 or more",
  );
});
