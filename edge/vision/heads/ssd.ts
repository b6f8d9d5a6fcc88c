/** The heads that state boxes and scores in outputs of their own: SSD and faces like it, ready or as offsets from anchors. */
import type { ScoredBox } from "../pictures/boxes.ts";
import {
  type Anchor,
  anchorsOf,
  fromAnchor,
  pointsFromAnchor,
  retinaFaceAnchors,
  ultraFaceAnchors,
} from "./anchors.ts";
import { isBackground } from "./class-labels.ts";
import {
  at,
  boxScales,
  checkScores,
  type Head,
  type HeadContext,
  likeliest,
  outputText,
  type RowOutput,
  type Table,
  tableOf,
} from "./head.ts";

interface Pair {
  readonly boxes: number;
  readonly scores: number;
  /** Output of five points for each box, where there is one. */
  readonly points: number | undefined;
}

/** An output [boxes, 4] and one [boxes, classes], in either order. When both are [boxes, 4], the one with "box" in its name, or the later. */
function pairOf(outputs: readonly RowOutput[]): Pair | undefined {
  const tables = outputs
    .map((output, index) => ({ ...output, index }))
    .filter(({ shape }) => shape.length === 2);
  const candidates = tables.filter(({ shape }) => shape[1] === 4);
  const corners = candidates.find(({ name }) => /box|loc/i.test(name)) ?? candidates.at(-1);
  const rows = corners?.shape[0];
  const others = tables.filter((table) => table !== corners && table.shape[0] === rows);
  const points = others.find(({ shape }) => shape[1] === 10 && others.length > 1);
  const scores = others.filter((table) => table !== points);
  const [only] = scores;
  if (corners === undefined || only === undefined || scores.length > 1) return undefined;
  return { boxes: corners.index, scores: only.index, points: points?.index };
}

/** Corners or centres of boxes [boxes, 4], and scores [boxes, classes]. */
export function ssd(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  const pair = pairOf(outputs);
  if (pair === undefined) return undefined;
  const { scores, boxes } = tablesOf(outputs, pair);
  const { boxForm = "corners" } = context;
  if (boxForm !== "centre") checkCorners(boxes, boxForm, outputs[pair.boxes] as RowOutput);
  const first = firstClass(scores, context);
  const [scaleX, scaleY] = boxScales(boxes, context);
  return pairedHead(outputs, pair, first, (all, row) => {
    const table = tableOf(all[pair.boxes] as RowOutput);
    const [a, b, c, d] = [at(table, row, 0), at(table, row, 1), at(table, row, 2), at(table, row, 3)];
    const [left, top, right, bottom] =
      boxForm === "corners"
        ? [a, b, c, d]
        : boxForm === "corners-yx"
          ? [b, a, d, c]
          : [a - c / 2, b - d / 2, a + c / 2, b + d / 2];
    return { left: left * scaleX, top: top * scaleY, right: right * scaleX, bottom: bottom * scaleY };
  });
}

/**
 * The same as offsets from anchors (Liu et al. 2016, with variances 0.1 and 0.2): those of the settings, or of UltraFace
 * or RetinaFace, where their count is that of the boxes. With [boxes, 10] each box has five points.
 */
export function ssdAnchors(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  const pair = pairOf(outputs);
  if (pair === undefined) return undefined;
  const { frame } = context;
  const { scores, boxes } = tablesOf(outputs, pair);
  const anchors = anchorsFor(boxes.rows, context);
  if (anchors === undefined) {
    if (context.anchors === undefined) return undefined;
    throw new Error(
      `settings: anchors make ${anchorsOf({ levels: context.anchors }, frame).length} boxes; allowed: ${boxes.rows}, as the model has ` +
        outputText(outputs[pair.boxes] as RowOutput),
    );
  }
  const box = (
    all: readonly RowOutput[],
    row: number,
  ): Pick<ScoredBox, "left" | "top" | "right" | "bottom" | "points"> => {
    const anchor = anchors[row] as Anchor;
    const table = tableOf(all[pair.boxes] as RowOutput);
    const points = pair.points === undefined ? undefined : tableOf(all[pair.points] as RowOutput);
    return {
      ...fromAnchor(anchor, (column) => at(table, row, column), frame),
      ...(points && { points: pointsFromAnchor(anchor, (column) => at(points, row, column), frame) }),
    };
  };
  return pairedHead(outputs, pair, firstClass(scores, context), box);
}

function anchorsFor(rows: number, { anchors, frame }: HeadContext): Anchor[] | undefined {
  const known = anchors === undefined ? [ultraFaceAnchors, retinaFaceAnchors] : [{ levels: anchors }];
  return known.map((set) => anchorsOf(set, frame)).find(({ length }) => length === rows);
}

/** Whether boxes are offsets: corners of which the right one is left of the left one more often than by chance of rounding. */
export function areOffsets(outputs: readonly RowOutput[]): boolean {
  const pair = pairOf(outputs);
  return pair !== undefined && crossed(tableOf(outputs[pair.boxes] as RowOutput)) > 0.1;
}

function crossed(boxes: Table): number {
  let count = 0;
  for (let row = 0; row < boxes.rows; row++)
    if (at(boxes, row, 2) < at(boxes, row, 0) || at(boxes, row, 3) < at(boxes, row, 1)) count++;
  return count / boxes.rows;
}

function checkCorners(boxes: Table, form: string, output: RowOutput): void {
  const share = crossed(boxes);
  if (share <= 0.1) return;
  throw new Error(
    `outputs: ${outputText(output)} has no corners (${Math.round(share * 100)} % of its boxes end before they begin), and ` +
      `boxForm is ${form}; allowed: outputs ssd-anchors with the model's anchors, or boxForm centre`,
  );
}

function tablesOf(
  outputs: readonly RowOutput[],
  pair: Pair,
): { readonly scores: Table; readonly boxes: Table } {
  const scores = outputs[pair.scores] as RowOutput;
  checkScores(outputText(scores), tableOf(scores), 0, tableOf(scores).columns);
  return { scores: tableOf(scores), boxes: tableOf(outputs[pair.boxes] as RowOutput) };
}

function pairedHead(
  outputs: readonly RowOutput[],
  pair: Pair,
  first: 0 | 1,
  box: (
    all: readonly RowOutput[],
    row: number,
  ) => Pick<ScoredBox, "left" | "top" | "right" | "bottom" | "points">,
): Head {
  const output = outputs[pair.scores] as RowOutput;
  return {
    classes: tableOf(output).columns - first,
    place: outputText(output),
    read(all, threshold) {
      const scores = tableOf(all[pair.scores] as RowOutput);
      const found: ScoredBox[] = [];
      for (let row = 0; row < scores.rows; row++) {
        const best = likeliest(scores, row, first, scores.columns);
        if (best.score >= threshold) found.push({ ...box(all, row), ...best });
      }
      return found;
    },
  };
}

/** 1 where the first class is the background: labels say so, or it has most of the likelihood of a grey picture. */
function firstClass(scores: Table, { background, labels }: HeadContext): 0 | 1 {
  const { rows, columns } = scores;
  if (background !== undefined) {
    if (!background || columns > 1) return background ? 1 : 0;
    throw new Error("settings: background is true; allowed: false for a model of one class");
  }
  if (columns === 1) return 0;
  if (labels?.length === columns - 1) return 1;
  if (labels !== undefined) return isBackground(labels[0]) ? 1 : 0;
  let [sums, firsts] = [0, 0];
  for (let row = 0; row < rows; row++) {
    firsts += at(scores, row, 0);
    for (let column = 0; column < columns; column++) sums += at(scores, row, column);
  }
  return Math.abs(sums / rows - 1) < 0.01 && firsts / rows > 0.5 ? 1 : 0;
}

/** TensorFlow's begin at the top; others are as often one way as the other, and nothing of the numbers tells which. */
function orderOf(output: RowOutput, { boxForm }: HeadContext): "corners" | "corners-yx" {
  if (boxForm === "corners" || boxForm === "corners-yx") return boxForm;
  if (boxForm === undefined && output.name.startsWith("detection_boxes")) return "corners-yx";
  throw new Error(
    `settings: boxForm is ${boxForm ?? "not stated"}; allowed: corners or corners-yx, the order in ${outputText(output)}`,
  );
}

/**
 * SSD with its last step, as TensorFlow exports it: boxes [boxes, 4] as top, left, bottom, right in 0..1, and [boxes] of
 * scores and of classes. A count, if there is one, is not needed: boxes that are none have the score 0.
 */
export function ssdEndToEnd(outputs: readonly RowOutput[], context: HeadContext): Head | undefined {
  const { frame, boxScale = "unit", background = true } = context;
  const index = (pattern: RegExp, rank: number): number =>
    outputs.findIndex(({ name, shape }) => shape.length === rank && pattern.test(name));
  const boxes = outputs.findIndex(({ shape }) => shape.length === 2 && shape[1] === 4);
  const [scores, classes] = [index(/score|conf|prob/i, 1), index(/class|label/i, 1)];
  if (boxes < 0 || scores < 0 || classes < 0) return undefined;
  const output = outputs[scores] as RowOutput;
  const boxForm = orderOf(outputs[boxes] as RowOutput, context);
  checkScores(outputText(output), tableOf(output), 0, 1);
  const [scaleX, scaleY] = boxScale === "unit" ? [frame.width, frame.height] : [1, 1];
  const [x, y] = boxForm === "corners-yx" ? [1, 0] : [0, 1];
  const firstIndex = background && !isBackground(context.labels?.[0]) ? 1 : 0;
  return {
    classes: undefined,
    place: outputText(outputs[classes] as RowOutput),
    isSuppressed: true,
    read(all, threshold) {
      const [table, points, kinds] = [boxes, scores, classes].map((each) =>
        tableOf(all[each] as RowOutput),
      ) as [Table, Table, Table];
      const found: ScoredBox[] = [];
      for (let row = 0; row < points.rows; row++) {
        const { score } = likeliest(points, row, 0, 1);
        if (!(score >= threshold)) continue;
        const [left, top] = [at(table, row, x) * scaleX, at(table, row, y) * scaleY];
        const [right, bottom] = [at(table, row, x + 2) * scaleX, at(table, row, y + 2) * scaleY];
        const classIndex = Math.round(at(kinds, row, 0)) - firstIndex;
        found.push({ left, top, right, bottom, score, classIndex });
      }
      return found;
    },
  };
}
