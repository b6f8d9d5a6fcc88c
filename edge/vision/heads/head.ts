/** What a detector's outputs are called, hold and need: a head is one way in which models state boxes. */
import type { ScoredBox } from "../pictures/boxes.ts";
import type { Size } from "../pictures/resize-arithmetic.ts";

/** An output for one picture, without the dimension of pictures. */
export interface RowOutput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The squares or rectangles that boxes are stated from, at each cell of a grid. */
export interface AnchorLevel {
  /** Pixels of the frame from one cell to the next. */
  readonly stride: number;
  /** Sides in pixels: of squares, or width and height. */
  readonly sizes: readonly (number | readonly [width: number, height: number])[];
}

/** What is known of a model beside its outputs. */
export interface HeadContext {
  /** Pixels that the model takes. */
  readonly frame: Size;
  readonly labels: readonly string[] | undefined;
  /** `unit`: boxes in 0..1 of the frame. Default: what the numbers of a grey picture look like. */
  readonly boxScale?: "pixels" | "unit" | undefined;
  readonly boxForm?: "corners" | "corners-yx" | "centre" | undefined;
  /** Whether the first class is the background. Default: what labels and numbers say. */
  readonly background?: boolean | undefined;
  readonly anchors?: readonly AnchorLevel[] | undefined;
}

/** A way to read the outputs of one model. */
export interface Head {
  /** Classes that it tells apart, the background left out; undefined where the outputs do not say. */
  readonly classes: number | undefined;
  /** The outputs that it reads, as an error names them. */
  readonly place: string;
  /** The model has already left out boxes around the same object. */
  readonly isSuppressed?: boolean;
  /** The boxes of one picture whose score reaches the threshold, in pixels of the frame. */
  read(outputs: readonly RowOutput[], threshold: number): ScoredBox[];
}

/**
 * A head for the outputs that a model gave for a grey picture; undefined when they have another form. Throws an Error of
 * one line when they have the form, but not the numbers.
 */
export type OpenHead = (outputs: readonly RowOutput[], context: HeadContext) => Head | undefined;

/** Rows and columns of numbers, in either order in memory. */
export interface Table {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
  readonly rowStep: number;
  readonly columnStep: number;
}

export function at({ values, rowStep, columnStep }: Table, row: number, column: number): number {
  return values[row * rowStep + column * columnStep] as number;
}

/** An output of [rows, columns]; one of [rows] has one column. */
export function tableOf({ shape: [rows = 1, columns = 1], values }: RowOutput): Table {
  return { rows, columns, values, rowStep: columns, columnStep: 1 };
}

/** An output of [columns, rows]. */
export function turnedTableOf({ shape: [columns = 1, rows = 1], values }: RowOutput): Table {
  return { rows, columns, values, rowStep: 1, columnStep: rows };
}

/** The number. Throws an Error where it is none, as models in halves give when they overflow: it means no absence. */
export function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new Error("the model gave a score that is not a number");
}

/** The best of columns `from` to `to`. Throws an Error when it is no number. */
export function likeliest(
  table: Table,
  row: number,
  from: number,
  to: number,
): { readonly score: number; readonly classIndex: number } {
  let best = from;
  let score = at(table, row, from);
  for (let column = from + 1; column < to; column++) {
    const value = at(table, row, column);
    if (value > score) [score, best] = [value, column];
  }
  return { score: finite(score), classIndex: best - from };
}

/** Least and largest of some columns; those of no row are 0. */
export function rangeOf(table: Table, from: number, to: number): readonly [least: number, largest: number] {
  if (table.rows === 0) return [0, 0];
  let [least, largest] = [Infinity, -Infinity];
  for (let row = 0; row < table.rows; row++) {
    for (let column = from; column < to; column++) {
      const value = at(table, row, column);
      least = Math.min(least, value);
      largest = Math.max(largest, value);
    }
  }
  return [least, largest];
}

/**
 * Pixels of the frame for one of the model's numbers: coordinates of many boxes that are all small are in 0..1. Those of
 * a picture without objects may all be 0, which says nothing, and are taken for pixels.
 */
export function boxScales(
  boxes: Table,
  { boxScale, frame }: HeadContext,
): readonly [scaleX: number, scaleY: number] {
  const [least, largest] = boxScale === undefined ? rangeOf(boxes, 0, 4) : [0, 0];
  const looksUnit = boxes.rows > 1 && least > -2 && largest > 0 && largest <= 2;
  const isUnit = boxScale === undefined ? looksUnit : boxScale === "unit";
  return isUnit ? [frame.width, frame.height] : [1, 1];
}

/** Throws an Error when columns that are read as scores go far out of 0..1, as logits and coordinates do. */
export function checkScores(output: string, table: Table, from: number, to: number): void {
  const [least, largest] = rangeOf(table, from, to);
  if (least >= -0.01 && largest <= 1.01) return;
  throw new Error(
    `outputs: ${output} has scores from ${round(least)} to ${round(largest)} where it should have 0 to 1; allowed: ` +
      `a model with its sigmoid or softmax, and without numbers other than boxes and classes`,
  );
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

export function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

/** Cells of a grid over the frame, whose last ones may reach beyond it. */
export function gridOf({ width, height }: Size, stride: number): Size {
  return { width: Math.ceil(width / stride), height: Math.ceil(height / stride) };
}

export function cellsOf(frame: Size, strides: readonly number[]): number {
  return strides.reduce((sum, stride) => {
    const { width, height } = gridOf(frame, stride);
    return sum + width * height;
  }, 0);
}

/** As an error names it: its shape for one picture. */
export function outputText({ name, shape }: Pick<RowOutput, "name" | "shape">): string {
  return `${name} [${[1, ...shape].join(",")}]`;
}
