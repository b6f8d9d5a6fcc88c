import { expect, it } from "vitest";
import { readOutputs } from "./detector-outputs.ts";

const settings = { width: 64, height: 64, scoreThreshold: 0.5, boxScale: "unit", background: true } as const;
const output = (shape: number[], values: number[]) => ({ shape, values: new Float32Array(values) });

it("reads YOLO outputs of columns without and of rows with a likelihood of any object", () => {
  const columns = output([6, 2], [10, 30, 20, 30, 4, 8, 6, 8, 0.25, 0.125, 0.75, 0.25]);
  expect(readOutputs([columns], { ...settings, outputs: "yolo" })).toEqual([
    { left: 8, right: 12, top: 17, bottom: 23, score: 0.75, classIndex: 1 },
  ]);
  const rows = output([2, 7], [10, 20, 4, 6, 0.5, 1, 0, 10, 20, 4, 6, 0.5, 0.75, 0]);
  expect(readOutputs([rows], { ...settings, outputs: "yolo-objectness" })).toEqual([
    { left: 8, right: 12, top: 17, bottom: 23, score: 0.5, classIndex: 0 },
  ]);
});

it("places YOLOX outputs on the grids of strides 8, 16 and 32", () => {
  // 64 x 64 has 64 + 16 + 4 cells; the last but one is the third of the coarsest grid: column 0, row 1.
  const values = Array.from({ length: 84 * 6 }, () => 0);
  values.splice(82 * 6, 6, 0.5, 0.25, 0, Math.log(2), 1, 0.75);
  expect(readOutputs([output([84, 6], values)], { ...settings, outputs: "yolox" })).toEqual([
    { left: 0, right: 32, top: 8, bottom: 72, score: 0.75, classIndex: 0 },
  ]);
  expect(() => readOutputs([output([1, 6], [0, 0, 0, 0, 0, 0])], { ...settings, outputs: "yolox" })).toThrow(
    /make 84/,
  );
});

it("reads SSD outputs in either order, without the background class", () => {
  const scores = output([2, 3], [0.125, 0.25, 0.625, 1, 0, 0]);
  const corners = output([2, 4], [0.25, 0.5, 0.75, 1, 0, 0, 1, 1]);
  const expected = [{ left: 16, top: 32, right: 48, bottom: 64, score: 0.625, classIndex: 1 }];
  expect(readOutputs([scores, corners], { ...settings, outputs: "ssd" })).toEqual(expected);
  expect(readOutputs([corners, scores], { ...settings, outputs: "ssd" })).toEqual(expected);
  expect(() => readOutputs([scores], { ...settings, outputs: "ssd" })).toThrow(/allowed: \[boxes, classes\]/);
});
