/** The heads that state boxes at each cell of maps: FastestDet's, and YOLOv5's before its boxes are put together. */
import type { ScoredBox } from "../pictures/boxes.ts";
import {
  type AnchorLevel,
  checkScores,
  finite,
  type Head,
  type HeadContext,
  likeliest,
  outputText,
  rangeOf,
  type RowOutput,
  sigmoid,
  type Table,
  turnedTableOf,
} from "./head.ts";

/** A map's cells as rows: [columns, height, width]. */
function cellsTable({ shape: [columns = 0, height = 0, width = 0], values, name }: RowOutput): Table {
  return turnedTableOf({ name, shape: [columns, height * width], values });
}

/**
 * FastestDet: one map [5 + classes, height, width] of the likelihood of any object, the centre from the corner of its cell
 * (tanh, in cells), the size (sigmoid, in frames), and the likelihood of each class.
 */
export function fastestDet(outputs: readonly RowOutput[], { frame }: HeadContext): Head | undefined {
  const index = outputs.findIndex(({ shape }) => shape.length === 3);
  const output = outputs[index];
  const [columns = 0, height = 0, width = 0] = output?.shape ?? [];
  const classes = columns - 5;
  if (output === undefined || outputs.length > 1 || classes < 1) return undefined;
  const trial = cellsTable(output);
  checkScores(outputText(output), trial, 0, 1);
  checkScores(outputText(output), trial, 5, columns);
  return {
    classes,
    place: outputText(output),
    read(all, threshold) {
      const { values, ...table } = cellsTable(all[index] as RowOutput);
      const cells = height * width;
      const boxes: ScoredBox[] = [];
      for (let cell = 0; cell < cells; cell++) {
        const numbers = (column: number): number => values[column * cells + cell] as number;
        const best = likeliest({ values, ...table }, cell, 5, columns);
        // The weights that the model was made with.
        const score = finite(Math.max(0, numbers(0)) ** 0.6 * Math.max(0, best.score) ** 0.4);
        if (score < threshold) continue;
        const x = (((cell % width) + Math.tanh(numbers(1))) / width) * frame.width;
        const y = ((Math.floor(cell / width) + Math.tanh(numbers(2))) / height) * frame.height;
        const [half, tall] = [
          sigmoid(numbers(3)) * frame.width * 0.5,
          sigmoid(numbers(4)) * frame.height * 0.5,
        ];
        const edges = { left: x - half, right: x + half, top: y - tall, bottom: y + tall };
        boxes.push({ ...edges, score, classIndex: best.classIndex });
      }
      return boxes;
    },
  };
}

/** Those that YOLOv5 was trained with on COCO. */
const yolov5Anchors: readonly AnchorLevel[] = [
  {
    stride: 8,
    sizes: [
      [10, 13],
      [16, 30],
      [33, 23],
    ],
  },
  {
    stride: 16,
    sizes: [
      [30, 61],
      [62, 45],
      [59, 119],
    ],
  },
  {
    stride: 32,
    sizes: [
      [116, 90],
      [156, 198],
      [373, 326],
    ],
  },
];

/** A map of one level: for each anchor its cells as rows. */
interface AnchorMap {
  readonly index: number;
  readonly level: AnchorLevel;
  readonly width: number;
  readonly cells: number;
  readonly columns: number;
  /** [anchors, height, width, columns] instead of [anchors * columns, height, width]. */
  readonly isSplit: boolean;
}

/**
 * YOLOv5 and v7 without their last step: for each level a map [anchors, height, width, 5 + classes] or
 * [anchors * (5 + classes), height, width], from anchors (Jocher 2020: centre 2 s(x) - 0.5 cells, size (2 s(w))^2 anchors).
 */
export function yoloAnchors(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  const { frame, anchors = yolov5Anchors } = context;
  const maps = outputs.map((output, index) => mapOf(output, index, frame.width, anchors));
  const known = maps.filter((map) => map !== undefined);
  const [first] = known;
  if (first === undefined || known.length !== anchors.length || known.length !== outputs.length)
    return undefined;
  const classes = first.columns - 5;
  if (classes < 1 || known.some(({ columns }) => columns !== first.columns)) return undefined;
  const rangesOfMaps = known.map((map) => rangeOf(anchorTable(outputs, map, 0), 0, map.columns));
  // Some exports end with the sigmoid.
  const isDone = rangesOfMaps.every(([least, largest]) => least >= 0 && largest <= 1);
  const finish = isDone ? (value: number): number => value : sigmoid;
  return {
    classes,
    place: known.map(({ index }) => outputText(outputs[index] as RowOutput)).join(", "),
    read: (all, threshold) =>
      known.flatMap((map) =>
        map.level.sizes.flatMap((size, anchor) =>
          anchorBoxes(anchorTable(all, map, anchor), map, size, finish, threshold),
        ),
      ),
  };
}

function mapOf(
  { shape }: RowOutput,
  index: number,
  frameWidth: number,
  anchors: readonly AnchorLevel[],
): AnchorMap | undefined {
  const isSplit = shape.length === 4;
  if (!isSplit && shape.length !== 3) return undefined;
  const [height = 0, width = 0] = isSplit ? shape.slice(1, 3) : shape.slice(1);
  const level = anchors.find(({ stride }) => Math.ceil(frameWidth / stride) === width);
  if (level === undefined) return undefined;
  const count = level.sizes.length;
  const columns = isSplit ? (shape[3] ?? 0) : (shape[0] ?? 0) / count;
  if (!Number.isInteger(columns) || (isSplit && shape[0] !== count)) return undefined;
  return { index, level, width, cells: width * height, columns, isSplit };
}

function anchorTable(outputs: readonly RowOutput[], map: AnchorMap, anchor: number): Table {
  const { index, cells, columns, isSplit } = map;
  const size = cells * columns;
  const values = (outputs[index] as RowOutput).values.subarray(anchor * size, (anchor + 1) * size);
  const steps = isSplit ? { rowStep: columns, columnStep: 1 } : { rowStep: 1, columnStep: cells };
  return { rows: cells, columns, values, ...steps };
}

function anchorBoxes(
  table: Table,
  { width, columns, level: { stride } }: AnchorMap,
  size: AnchorLevel["sizes"][number],
  finish: (value: number) => number,
  threshold: number,
): ScoredBox[] {
  const [anchorWidth, anchorHeight] = typeof size === "number" ? [size, size] : size;
  const boxes: ScoredBox[] = [];
  for (let cell = 0; cell < table.rows; cell++) {
    const number = (column: number): number =>
      finish(table.values[cell * table.rowStep + column * table.columnStep] as number);
    const object = number(4);
    if (object < threshold) continue;
    const best = likeliest(table, cell, 5, columns);
    const score = finite(object * finish(best.score));
    if (score < threshold) continue;
    const x = (2 * number(0) - 0.5 + (cell % width)) * stride;
    const y = (2 * number(1) - 0.5 + Math.floor(cell / width)) * stride;
    const [half, tall] = [2 * number(2) ** 2 * anchorWidth, 2 * number(3) ** 2 * anchorHeight];
    const edges = { left: x - half, right: x + half, top: y - tall, bottom: y + tall };
    boxes.push({ ...edges, score, classIndex: best.classIndex });
  }
  return boxes;
}
