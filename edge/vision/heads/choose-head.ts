/** Which head a model has: the one that its settings name, or the only one that its outputs fit. */
import type { fitKinds } from "../pictures/fit-picture.ts";
import { type PixelDefaults, unitPixels } from "../pictures/picture-format.ts";
import { anchorsOf, ultraFaceAnchors } from "./anchors.ts";
import { labelsOfClasses } from "./class-labels.ts";
import { distances, yunet } from "./centre-heads.ts";
import {
  at,
  cellsOf,
  type Head,
  type HeadContext,
  type OpenHead,
  outputText,
  rangeOf,
  type RowOutput,
  tableOf,
} from "./head.ts";
import { fastestDet, yoloAnchors } from "./maps.ts";
import { areOffsets, ssd, ssdAnchors, ssdEndToEnd } from "./ssd.ts";
import { yolo, yoloEndToEnd, yoloObjectness, yolox } from "./yolo.ts";

interface HeadKind {
  readonly open: OpenHead;
  /** Its outputs for each picture, in words. */
  readonly form: string;
  /** How its models take pictures, where nothing else is said. */
  readonly pixels: PixelDefaults;
  readonly fit: (typeof fitKinds)[number];
  /** Least score of a box. */
  readonly threshold: number;
}

const bytes: PixelDefaults = { mean: 0, std: 1, scale: 1, channels: "BGR" };

export const headKinds = {
  yolo: {
    open: yolo,
    form: "[4 + classes, boxes] or [boxes, 4 + classes]",
    pixels: unitPixels,
    fit: "letterbox",
    threshold: 0.25,
  },
  "yolo-objectness": {
    open: yoloObjectness,
    form: "[boxes, 5 + classes] or [5 + classes, boxes]",
    pixels: unitPixels,
    fit: "letterbox",
    threshold: 0.25,
  },
  "yolo-end-to-end": {
    open: yoloEndToEnd,
    form: "[boxes, 6]",
    pixels: unitPixels,
    fit: "letterbox",
    threshold: 0.25,
  },
  "yolo-anchors": {
    open: yoloAnchors,
    form: "a map [anchors, height, width, 5 + classes] for each stride",
    pixels: unitPixels,
    fit: "letterbox",
    threshold: 0.25,
  },
  yolox: {
    open: yolox,
    form: "[boxes, 5 + classes] on strides 8, 16 and 32",
    pixels: bytes,
    fit: "left-top",
    threshold: 0.25,
  },
  fastestdet: {
    open: fastestDet,
    form: "[5 + classes, height, width]",
    pixels: { ...unitPixels, channels: "BGR" },
    fit: "stretch",
    threshold: 0.65,
  },
  ssd: {
    open: ssd,
    form: "[boxes, 4] and [boxes, classes]",
    pixels: unitPixels,
    fit: "letterbox",
    threshold: 0.25,
  },
  "ssd-anchors": {
    open: ssdAnchors,
    form: "[boxes, 4] and [boxes, classes] for known anchors",
    pixels: unitPixels,
    fit: "letterbox",
    threshold: 0.25,
  },
  "ssd-end-to-end": {
    open: ssdEndToEnd,
    form: "[boxes, 4], [boxes] of scores and [boxes] of classes",
    pixels: unitPixels,
    fit: "stretch",
    threshold: 0.25,
  },
  ultraface: {
    open: (outputs, context) => (areOffsets(outputs) ? ssdAnchors : ssd)(outputs, context),
    form: "[boxes, 4] and [boxes, 2]",
    pixels: { mean: 127, std: 128, scale: 1, channels: "RGB" },
    fit: "stretch",
    threshold: 0.7,
  },
  retinaface: {
    open: ssdAnchors,
    form: "[boxes, 4], [boxes, 2] and [boxes, 10] for known anchors",
    pixels: { mean: [104, 117, 123], std: 1, scale: 1, channels: "BGR" },
    fit: "left-top",
    threshold: 0.5,
  },
  yunet: {
    open: yunet,
    form: "cls_8, obj_8, bbox_8, kps_8 and so on",
    pixels: bytes,
    fit: "left-top",
    threshold: 0.6,
  },
  distances: {
    open: distances,
    form: "[cells, classes] and [cells, 32] for each stride",
    pixels: {
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
      scale: 255,
      channels: "RGB",
    },
    fit: "stretch",
    threshold: 0.25,
  },
} satisfies Record<string, HeadKind>;

export type HeadName = keyof typeof headKinds;
export const headNames = Object.keys(headKinds) as [HeadName, ...HeadName[]];

export interface ChosenHead extends Head {
  readonly name: HeadName;
  /** By class; the index as text where there is no label. */
  label(classIndex: number): string;
}

/**
 * The head of that name, or without one the only head that fits. Throws an Error of one line when none does or several do,
 * with what would fit.
 *
 * @param outputs those of a grey picture
 */
export function chooseHead(
  name: HeadName | undefined,
  outputs: readonly RowOutput[],
  context: HeadContext,
): ChosenHead {
  const chosen = name ?? likelyHead(outputs, context);
  const head = headKinds[chosen].open(outputs, context);
  if (head === undefined)
    throw new Error(
      `outputs: the model has ${listed(outputs)}; allowed for ${chosen}: ${headKinds[chosen].form}, for each picture of ` +
        `${context.frame.width} x ${context.frame.height}`,
    );
  const { classes, place } = head;
  const labels =
    context.labels === undefined || classes === undefined
      ? context.labels
      : labelsOfClasses(context.labels, classes, place);
  return {
    ...head,
    name: chosen,
    label: (classIndex) => labels?.[classIndex] ?? String(classIndex),
  };
}

function likelyHead(outputs: readonly RowOutput[], context: HeadContext): HeadName {
  const fitting = likelyHeads(outputs, context);
  const [only, ...others] = fitting;
  if (only !== undefined && others.length === 0) return only;
  const allowed =
    only === undefined
      ? `those of ${headNames.join(", ")} (docs/guide/handlers.md), or a handler of your own`
      : `${fitting.join(" or ")} in settings.outputs, or labels`;
  throw new Error(`outputs: the model has ${listed(outputs)}; allowed: ${allowed}`);
}

/** From the surest sign to the weakest. */
function likelyHeads(outputs: readonly RowOutput[], context: HeadContext): HeadName[] {
  const fits = (open: OpenHead): boolean => open(outputs, context) !== undefined;
  const ranks = outputs.map(({ shape }) => shape.length);
  if (fits(yunet)) return ["yunet"];
  if (outputs.length > 1 && fits(distances)) return ["distances"];
  if (fits(ssdEndToEnd)) return ["ssd-end-to-end"];
  if (outputs.some(({ shape }) => shape.length === 2 && shape[1] === 4) && outputs.length > 1)
    return pairedHeads(outputs, context);
  if (ranks.length === 1 && ranks[0] === 3) return ["fastestdet"];
  if (!ranks.includes(2)) return fits(yoloAnchors) ? ["yolo-anchors"] : [];
  return rowHeads(outputs, context);
}

function pairedHeads(outputs: readonly RowOutput[], context: HeadContext): HeadName[] {
  const scores = outputs.find(({ shape }) => shape.length === 2 && shape[1] === 2);
  const faces = outputs.some(({ shape }) => shape.length === 2 && shape[1] === 10);
  const isOffset = areOffsets(outputs) && context.boxForm === undefined;
  const isOfFaces = faces && scores !== undefined && isOffset;
  if (isOfFaces && ssdAnchors(outputs, context) !== undefined) return ["retinaface"];
  const isUltraFace = scores?.shape[0] === anchorsOf(ultraFaceAnchors, context.frame).length;
  if (isUltraFace && outputs.length === 2 && context.anchors === undefined) return ["ultraface"];
  return [isOffset ? "ssd-anchors" : "ssd"];
}

/** One box in each row. */
function rowHeads(outputs: readonly RowOutput[], { frame, labels }: HeadContext): HeadName[] {
  const [output, ...others] = outputs.filter(({ shape }) => shape.length === 2);
  if (output === undefined || others.length > 0) return [];
  const [first = 0, last = 0] = output.shape;
  const [cells, larger] = [cellsOf(frame, [8, 16, 32]), cellsOf(frame, [8, 16, 32, 64])];
  const isOneOf = (...counts: readonly number[]): boolean => counts.includes(first) || counts.includes(last);
  const masks = outputs.length === 2 ? (outputs.find(({ shape }) => shape.length === 3)?.shape[0] ?? 0) : 0;
  const classes = labels?.length;
  const byLabels = (fixed: number): boolean => classes === undefined || isOneOf(fixed + masks + classes);
  if (classes !== undefined && last === classes + 32 && [cells, larger].includes(first)) return ["distances"];
  if (first === cells && byLabels(5) && isOnGrid(output)) return ["yolox"];
  const found: HeadName[] = [];
  const isGrid = isOneOf(cells, larger, 3 * cells, 3 * larger);
  if (last === 6 && !isGrid && isPutTogether(output)) {
    if (classes === undefined || !(byLabels(4) || byLabels(5))) return ["yolo-end-to-end"];
    found.push("yolo-end-to-end");
  }
  if (classes === undefined) {
    // The earlier of the family have boxes first and three for each cell, and the later ones have boxes last.
    if (last > first) return ["yolo"];
    return isOneOf(3 * cells, 3 * larger) ? ["yolo-objectness"] : ["yolo", "yolo-objectness"];
  }
  if (byLabels(4)) found.push("yolo");
  if (byLabels(5)) found.push("yolo-objectness");
  return found;
}

/** Few boxes, each from its left and top to its right and bottom, with the number of a class at the end. */
function isPutTogether(output: RowOutput): boolean {
  const table = tableOf(output);
  if (table.rows > 1_000) return false;
  for (let row = 0; row < table.rows; row++) {
    const [left, top, right, bottom] = [0, 1, 2, 3].map((column) => at(table, row, column)) as Corners;
    if (right < left || bottom < top || !Number.isInteger(at(table, row, 5))) return false;
  }
  return true;
}

type Corners = [left: number, top: number, right: number, bottom: number];

/** Logarithms of sizes are of both signs; placed boxes have no negative ones. */
function isOnGrid(output: RowOutput): boolean {
  return rangeOf(tableOf(output), 2, 4)[0] < 0;
}

function listed(outputs: readonly RowOutput[]): string {
  return `outputs ${outputs.map(outputText).join(", ")}`;
}
