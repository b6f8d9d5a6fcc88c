/** The heads of the YOLO family that state one box in each row: v5 to v12 and 26, YOLOX, and what is exported like them. */
import type { ScoredBox } from "../pictures/boxes.ts";
import {
  at,
  boxScales,
  cellsOf,
  checkScores,
  finite,
  gridOf,
  type Head,
  type HeadContext,
  likeliest,
  outputText,
  type RowOutput,
  type Table,
  tableOf,
  turnedTableOf,
} from "./head.ts";

const strides = [8, 16, 32];
/** Most boxes of a model that leaves out those around the same object itself. */
const mostSuppressed = 1_000;

/** Centre x, centre y, width, height, and a score by class: [4 + classes, boxes] or [boxes, 4 + classes]. */
export function yolo(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  return rowsOfBoxes(outputs, context, 4);
}

/** The same with the likelihood of any object before the classes: [boxes, 5 + classes] or [5 + classes, boxes]. */
export function yoloObjectness(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  return rowsOfBoxes(outputs, context, 5);
}

function rowsOfBoxes(outputs: readonly RowOutput[], context: HeadContext, fixed: 4 | 5): Head | undefined {
  const index = indexOfBoxes(outputs);
  const output = outputs[index];
  if (output === undefined) return undefined;
  const masks = maskColumns(outputs);
  const isTurned = hasBoxesLast(output, context, fixed + masks);
  const open = isTurned ? turnedTableOf : tableOf;
  const trial = open(output);
  const classes = trial.columns - fixed - masks;
  if (classes < 1) return undefined;
  checkScores(outputText(output), trial, 4, fixed + classes);
  const [scaleX, scaleY] = boxScales(trial, context);
  return {
    classes,
    place: outputText(output),
    read: (all, threshold) =>
      centredBoxes(open(all[index] as RowOutput), { fixed, classes, scaleX, scaleY }, threshold),
  };
}

/** The only output of two dimensions: others hold masks, or parts of it. -1 when there are several, or none. */
function indexOfBoxes(outputs: readonly RowOutput[]): number {
  const found = outputs.findIndex(({ shape }) => shape.length === 2);
  return outputs.findLastIndex(({ shape }) => shape.length === 2) === found ? found : -1;
}

/** Models that also give masks have [masks, height, width], and a factor for each mask behind the classes. */
function maskColumns(outputs: readonly RowOutput[]): number {
  const masks = outputs.length === 2 ? outputs.find(({ shape }) => shape.length === 3) : undefined;
  return masks?.shape[0] ?? 0;
}

/** Whether boxes are the last dimension: the one that fits the frame's grids, leaves as many classes as labels, or is larger. */
function hasBoxesLast(
  { shape: [first = 0, last = 0] }: RowOutput,
  context: HeadContext,
  others: number,
): boolean {
  const { frame, labels } = context;
  const counts = new Set(
    [strides, [...strides, 64]].flatMap((each) => [1, 3].map((part) => part * cellsOf(frame, each))),
  );
  const [firstFits, lastFits] = [counts.has(first), counts.has(last)];
  if (firstFits !== lastFits) return lastFits;
  const wanted = labels && labels.length + others;
  if (wanted !== undefined && (first === wanted) !== (last === wanted)) return first === wanted;
  return last > first;
}

interface CentredForm {
  /** Columns before the classes; the fifth is the likelihood of any object. */
  readonly fixed: 4 | 5;
  readonly classes: number;
  /** Pixels of the frame for one of the numbers. */
  readonly scaleX: number;
  readonly scaleY: number;
}

function centredBoxes(table: Table, form: CentredForm, threshold: number): ScoredBox[] {
  const { fixed, classes, scaleX, scaleY } = form;
  const boxes: ScoredBox[] = [];
  for (let row = 0; row < table.rows; row++) {
    const object = fixed === 5 ? at(table, row, 4) : 1;
    if (object < threshold) continue;
    const best = likeliest(table, row, fixed, fixed + classes);
    const score = finite(best.score * object);
    if (score < threshold) continue;
    const [x, y] = [at(table, row, 0) * scaleX, at(table, row, 1) * scaleY];
    const [width, height] = [at(table, row, 2) * scaleX, at(table, row, 3) * scaleY];
    const edges = { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
    boxes.push({ ...edges, score, classIndex: best.classIndex });
  }
  return boxes;
}

/**
 * YOLOX states centres from the corner of their cell and sizes as logarithms, both in units of the cell (Ge et al. 2021),
 * as [boxes, 5 + classes] on the grids of strides 8, 16 and 32.
 */
export function yolox(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  const index = indexOfBoxes(outputs);
  const output = outputs[index];
  const { frame } = context;
  if (output === undefined || output.shape[0] !== cellsOf(frame, strides)) return undefined;
  const trial = tableOf(output);
  const classes = trial.columns - 5;
  if (classes < 1) return undefined;
  checkScores(outputText(output), trial, 4, trial.columns);
  return {
    classes,
    place: outputText(output),
    read: (all, threshold) =>
      centredBoxes(
        onGrid(tableOf(all[index] as RowOutput), context),
        { fixed: 5, classes, scaleX: 1, scaleY: 1 },
        threshold,
      ),
  };
}

function onGrid({ rows, columns, values }: Table, { frame }: HeadContext): Table {
  const placed = Float32Array.from(values);
  let row = 0;
  for (const stride of strides) {
    const grid = gridOf(frame, stride);
    for (let cell = 0; cell < grid.width * grid.height; cell++, row++) {
      const start = row * columns;
      placed[start] = ((values[start] as number) + (cell % grid.width)) * stride;
      placed[start + 1] = ((values[start + 1] as number) + Math.floor(cell / grid.width)) * stride;
      placed[start + 2] = Math.exp(values[start + 2] as number) * stride;
      placed[start + 3] = Math.exp(values[start + 3] as number) * stride;
    }
  }
  return { rows, columns, values: placed, rowStep: columns, columnStep: 1 };
}

/** Left, top, right, bottom, score and number of the class, one box for each object: [boxes, 6] (v10, 26, and with NMS). */
export function yoloEndToEnd(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  const index = indexOfBoxes(outputs);
  const output = outputs[index];
  const [rows = 0, columns] = output?.shape ?? [];
  if (output === undefined || columns !== 6 || rows > mostSuppressed) return undefined;
  checkScores(outputText(output), tableOf(output), 4, 5);
  const [scaleX, scaleY] = context.boxScale === "unit" ? [context.frame.width, context.frame.height] : [1, 1];
  return {
    classes: undefined,
    place: outputText(output),
    isSuppressed: true,
    read(all, threshold) {
      const table = tableOf(all[index] as RowOutput);
      const boxes: ScoredBox[] = [];
      for (let row = 0; row < table.rows; row++) {
        const { score } = likeliest(table, row, 4, 5);
        if (!(score >= threshold)) continue;
        const [left, top] = [at(table, row, 0) * scaleX, at(table, row, 1) * scaleY];
        const [right, bottom] = [at(table, row, 2) * scaleX, at(table, row, 3) * scaleY];
        boxes.push({ left, top, right, bottom, score, classIndex: Math.round(at(table, row, 5)) });
      }
      return boxes;
    },
  };
}
