/** The heads that state a box from the centre of each cell, on maps of several strides: YuNet, NanoDet and PicoDet. */
import type { ScoredBox } from "../pictures/boxes.ts";
import { softmax } from "../handlers/scores.ts";
import {
  at,
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
} from "./head.ts";

/** Boxes of YuNet at its three strides. */
const yunetStrides = [8, 16, 32];

/**
 * YuNet: for each stride `cls_8` and `obj_8` [cells, 1], `bbox_8` [cells, 4] and `kps_8` [cells, 10] (Wu et al. 2023):
 * centres from the corner of their cell, logarithms of sizes, and five points, all in units of the cell.
 */
export function yunet(outputs: readonly RowOutput[], { frame }: HeadContext): Head | undefined {
  const index = (name: string): number => outputs.findIndex((output) => output.name === name);
  const levels = yunetStrides.map((stride) => ({
    stride,
    columns: Math.ceil(frame.width / stride),
    cells: cellsOf(frame, [stride]),
    places: ["cls", "obj", "bbox", "kps"].map((part) => index(`${part}_${stride}`)),
  }));
  if (levels.some(({ places }) => places.includes(-1))) return undefined;
  for (const { places, cells, stride } of levels) {
    const [scores] = places.map((place) => outputs[place] as RowOutput);
    if (scores?.shape[0] === cells) continue;
    throw new Error(
      `outputs: ${outputText(scores as RowOutput)} for ${frame.width} x ${frame.height} pixels; allowed: ${cells} cells at ` +
        `stride ${stride}, for a width and a height that are multiples of 32`,
    );
  }
  return {
    classes: 1,
    place: levels.map(({ stride }) => `cls_${stride}`).join(", "),
    read: (all, threshold) =>
      levels.flatMap(({ stride, columns, cells, places }) => {
        const [scores, objects, boxes, points] = places.map((place) => tableOf(all[place] as RowOutput)) as [
          Table,
          Table,
          Table,
          Table,
        ];
        const found: ScoredBox[] = [];
        for (let cell = 0; cell < cells; cell++) {
          const part =
            Math.min(1, Math.max(0, at(scores, cell, 0))) * Math.min(1, Math.max(0, at(objects, cell, 0)));
          const score = finite(Math.sqrt(part));
          if (score < threshold) continue;
          const [column, row] = [cell % columns, Math.floor(cell / columns)];
          const [x, y] = [(column + at(boxes, cell, 0)) * stride, (row + at(boxes, cell, 1)) * stride];
          const [half, tall] = [
            (Math.exp(at(boxes, cell, 2)) * stride) / 2,
            (Math.exp(at(boxes, cell, 3)) * stride) / 2,
          ];
          const edges = { left: x - half, right: x + half, top: y - tall, bottom: y + tall };
          const landmarks = Array.from(
            { length: 10 },
            (_, index) => (at(points, cell, index) + (index % 2 === 0 ? column : row)) * stride,
          );
          found.push({ ...edges, score, classIndex: 0, points: landmarks });
        }
        return found;
      }),
  };
}

/** Strides of NanoDet and PicoDet. */
const distanceStrides = [8, 16, 32, 64];

/** Where the rows of one stride are: the outputs of its scores and of its distances, from a row on. */
interface DistanceLevel {
  readonly stride: number;
  readonly scores: number;
  readonly distances: number;
  readonly firstRow: number;
  readonly cells: number;
}

/**
 * NanoDet and PicoDet (Li et al. 2020): scores [cells, classes] for each stride, and the distances from the cell's centre to
 * the four sides as distributions [cells, 4 * steps]; or all in one output [cells, classes + 4 * steps].
 */
export function distances(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  const { frame, labels } = context;
  const isOne = outputs.length === 1;
  const strides = [distanceStrides, distanceStrides.slice(0, 3)].find((each) =>
    isOne
      ? outputs[0]?.shape[0] === cellsOf(frame, each) && outputs[0].shape.length === 2
      : outputs.length === 2 * each.length &&
        each.every(
          (stride) => outputs.filter(({ shape }) => shape[0] === cellsOf(frame, [stride])).length === 2,
        ),
  );
  if (strides === undefined) return undefined;
  const columns = outputs[0]?.shape[1] ?? 0;
  // Steps from 0 to 7 are what all published ones have.
  const classes = isOne ? (labels?.length ?? columns - 32) : classesOf(outputs);
  const sides = isOne ? columns - classes : Math.max(...outputs.map(({ shape }) => shape[1] ?? 0));
  if (classes < 1 || sides < 8 || sides % 4 !== 0) return undefined;
  let firstRow = 0;
  const levels = strides.map((stride): DistanceLevel => {
    const cells = cellsOf(frame, [stride]);
    const place = isOne ? { scores: 0, distances: 0 } : placesOf(outputs, cells, classes);
    const level = { stride, cells, firstRow, scores: place.scores, distances: place.distances };
    if (isOne) firstRow += cells;
    return level;
  });
  for (const each of levels)
    checkScores(
      outputText(outputs[each.scores] as RowOutput),
      tableOf(outputs[each.scores] as RowOutput),
      0,
      classes,
    );
  return {
    classes,
    place: outputText(outputs[levels[0]?.scores ?? 0] as RowOutput),
    read: (all, threshold) =>
      levels.flatMap((level) => {
        const scores = tableOf(all[level.scores] as RowOutput);
        const table = tableOf(all[level.distances] as RowOutput);
        const grid = gridOf(frame, level.stride);
        const found: ScoredBox[] = [];
        for (let cell = 0; cell < level.cells; cell++) {
          const row = level.firstRow + cell;
          const best = likeliest(scores, row, 0, classes);
          if (!(best.score >= threshold)) continue;
          const [left, top, right, bottom] = sidesOf(table, row, isOne ? classes : 0, sides / 4);
          // NanoDet counts from the corner of a cell.
          const middle = isOne ? 0 : 0.5;
          const [x, y] = [(cell % grid.width) + middle, Math.floor(cell / grid.width) + middle];
          const edges = { left: x - left, top: y - top, right: x + right, bottom: y + bottom };
          found.push({
            left: edges.left * level.stride,
            top: edges.top * level.stride,
            right: edges.right * level.stride,
            bottom: edges.bottom * level.stride,
            ...best,
          });
        }
        return found;
      }),
  };
}

/** The outputs of distances all have the same number of columns, 32 in what is published, and those of scores another. */
function classesOf(outputs: readonly RowOutput[]): number {
  const widths = [...new Set(outputs.map(({ shape }) => shape[1] ?? 0))].filter((width) => width !== 32);
  return widths.length === 1 ? (widths[0] as number) : 0;
}

function placesOf(outputs: readonly RowOutput[], cells: number, classes: number) {
  const ofLevel = (isScores: boolean): number =>
    outputs.findIndex(({ shape }) => shape[0] === cells && (shape[1] === classes) === isScores);
  return { scores: ofLevel(true), distances: ofLevel(false) };
}

/** The mean step of each side's distribution. */
function sidesOf(table: Table, row: number, from: number, steps: number): [number, number, number, number] {
  const mean = (side: number): number => {
    const logits = Array.from({ length: steps }, (_, step) => at(table, row, from + side * steps + step));
    return softmax(logits).reduce((sum, part, step) => sum + part * step, 0);
  };
  return [mean(0), mean(1), mean(2), mean(3)];
}
