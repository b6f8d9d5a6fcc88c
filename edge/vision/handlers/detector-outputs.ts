/** Turns the outputs of detectors into boxes in pixels of their frame; each family of models has its own form. */
import { shapeText } from "../../../protocol/tensor.ts";
import type { ScoredBox } from "../pictures/boxes.ts";
import { indexOfMax } from "./ctc-decode.ts";

/** The output for one picture, without its first dimension. */
export interface RowOutput {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface OutputSettings {
  readonly outputs: "yolo" | "yolo-objectness" | "yolox" | "ssd";
  readonly width: number;
  readonly height: number;
  readonly scoreThreshold: number;
  readonly boxScale: "pixels" | "unit";
  readonly background: boolean;
}

/** The boxes of one picture whose score reaches the threshold. Throws an Error when outputs have other shapes. */
export function readOutputs(outputs: readonly RowOutput[], settings: OutputSettings): ScoredBox[] {
  const [first] = outputs;
  if (first === undefined) throw new Error("the model has no output");
  switch (settings.outputs) {
    case "yolo":
      return yoloBoxes(transposed(first), 4, settings.scoreThreshold);
    case "yolo-objectness":
      return yoloBoxes(tableOf(first), 5, settings.scoreThreshold);
    case "yolox":
      return yoloBoxes(onGrid(tableOf(first), settings), 5, settings.scoreThreshold);
    case "ssd":
      return ssdBoxes(outputs, settings);
  }
}

interface Table {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

function tableOf({ shape, values }: RowOutput): Table {
  const [rows, columns, ...others] = shape;
  if (rows === undefined || columns === undefined || others.length > 0)
    throw new Error(`an output is ${shapeText(shape)} for each picture; allowed: two dimensions`);
  return { rows, columns, values };
}

function transposed(output: RowOutput): Table {
  const { rows: columns, columns: rows, values } = tableOf(output);
  const turned = new Float32Array(values.length);
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++)
      turned[row * columns + column] = values[column * rows + row] as number;
  }
  return { rows, columns, values: turned };
}

/** Rows of centre x, centre y, width, height, the likelihood of any object (with 5 fixed columns), and a score by class. */
function yoloBoxes({ rows, columns, values }: Table, fixed: 4 | 5, threshold: number): ScoredBox[] {
  if (columns <= fixed) throw new Error(`boxes have ${columns} numbers; allowed: ${fixed + 1} or more`);
  const boxes: ScoredBox[] = [];
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * columns, (row + 1) * columns);
    const [x = 0, y = 0, width = 0, height = 0] = own;
    const best = likeliest(own.subarray(fixed));
    const score = best.score * (fixed === 5 ? (own[4] as number) : 1);
    if (!(score >= threshold)) continue;
    const edges = { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
    boxes.push({ ...edges, score, classIndex: best.classIndex });
  }
  return boxes;
}

/** YOLOX states centres from the corner of their cell and sizes as logarithms, both in units of the cell (Ge et al. 2021). */
function onGrid({ rows, columns, values }: Table, { width, height }: OutputSettings): Table {
  const placed = Float32Array.from(values);
  let row = 0;
  for (const stride of [8, 16, 32]) {
    const [across, down] = [Math.floor(width / stride), Math.floor(height / stride)];
    for (let cell = 0; cell < across * down; cell++, row++) {
      const at = row * columns;
      placed[at] = ((values[at] as number) + (cell % across)) * stride;
      placed[at + 1] = ((values[at + 1] as number) + Math.floor(cell / across)) * stride;
      placed[at + 2] = Math.exp(values[at + 2] as number) * stride;
      placed[at + 3] = Math.exp(values[at + 3] as number) * stride;
    }
  }
  if (row === rows) return { rows, columns, values: placed };
  throw new Error(`the model gives ${rows} boxes; strides 8, 16 and 32 of ${width} x ${height} make ${row}`);
}

/** An output of scores, boxes x classes, and one of corners, boxes x 4: left, top, right, bottom. */
function ssdBoxes(outputs: readonly RowOutput[], settings: OutputSettings): ScoredBox[] {
  const tables = outputs.map(tableOf);
  const corners = tables.findLast(({ columns }) => columns === 4);
  const scores = tables.find((table) => table !== corners && table.rows === corners?.rows);
  if (corners === undefined || scores === undefined) {
    const shapes = outputs.map(({ shape }) => shapeText(shape)).join(", ");
    throw new Error(`outputs are ${shapes}; allowed: [boxes, classes] and [boxes, 4]`);
  }
  const first = settings.background ? 1 : 0;
  const [scaleX, scaleY] = settings.boxScale === "unit" ? [settings.width, settings.height] : [1, 1];
  const boxes: ScoredBox[] = [];
  for (let row = 0; row < scores.rows; row++) {
    const own = scores.values.subarray(row * scores.columns + first, (row + 1) * scores.columns);
    const { score, classIndex } = likeliest(own);
    if (!(score >= settings.scoreThreshold)) continue;
    const [left = 0, top = 0, right = 0, bottom = 0] = corners.values.subarray(row * 4, row * 4 + 4);
    const edges = { left: left * scaleX, top: top * scaleY, right: right * scaleX, bottom: bottom * scaleY };
    boxes.push({ ...edges, score, classIndex });
  }
  return boxes;
}

function likeliest(scores: Float32Array): { readonly score: number; readonly classIndex: number } {
  const classIndex = indexOfMax(scores);
  return { score: scores[classIndex] ?? Number.NaN, classIndex };
}
