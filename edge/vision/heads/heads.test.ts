import { describe, expect, it } from "vitest";
import type { ScoredBox } from "../pictures/boxes.ts";
import { distances, yunet } from "./centre-heads.ts";
import type { HeadContext, OpenHead, RowOutput } from "./head.ts";
import { fastestDet, yoloAnchors } from "./maps.ts";
import { ssd, ssdAnchors, ssdEndToEnd } from "./ssd.ts";
import { yolo, yoloEndToEnd, yoloObjectness, yolox } from "./yolo.ts";

const frame = { width: 64, height: 64 };
const plain: HeadContext = { frame, labels: undefined };

function output(shape: readonly number[], values: ArrayLike<number>, name = "y"): RowOutput {
  return { name, shape, values: Float32Array.from(values) };
}

/** An output of one value but for those given, by their place. */
function sparse(
  shape: readonly number[],
  given: Readonly<Record<number, number>>,
  name = "y",
  rest = 0,
): RowOutput {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(rest);
  for (const [place, value] of Object.entries(given)) values[Number(place)] = value;
  return { name, shape, values };
}

function read(
  open: OpenHead,
  outputs: readonly RowOutput[],
  context: Partial<HeadContext> = {},
): ScoredBox[] {
  const head = open(outputs, { ...plain, ...context });
  if (head === undefined) throw new Error("the outputs have another form");
  return head.read(outputs, 0.5);
}

const close = (value: number): unknown => expect.closeTo(value, 3);

describe("YOLO", () => {
  const expected = [{ left: 8, right: 12, top: 17, bottom: 23, score: 0.75, classIndex: 1 }];
  const columns = [10, 30, 20, 30, 4, 8, 6, 8, 0.25, 0.125, 0.75, 0.25];
  const rows = [10, 20, 4, 6, 0.25, 0.75, 30, 30, 8, 8, 0.125, 0.25];
  const labels = ["a", "b"];

  it("reads boxes with a score by class in columns or in rows, as the labels say", () => {
    expect(read(yolo, [output([6, 2], columns)], { labels })).toEqual(expected);
    expect(read(yolo, [output([2, 6], rows)], { labels })).toEqual(expected);
  });

  it("takes without labels the dimension of the grid's cells for that of boxes, else the larger one", () => {
    // 64 x 64 has 64 + 16 + 4 cells.
    expect(read(yolo, [sparse([6, 84], { 0: 10, 84: 20, 168: 4, 252: 6, 420: 0.75 })])).toEqual(expected);
    expect(read(yolo, [sparse([84, 100], { 0: 10, 1: 20, 2: 4, 3: 6, 5: 0.75 })])).toEqual(expected);
    expect(read(yolo, [output([2, 6], rows)], { labels })).toHaveLength(1);
    expect(yolo([output([6, 2], columns)], plain)).toBeUndefined();
  });

  it("scales boxes in 0..1, by themselves or where the settings say so", () => {
    const unit = rows.map((value, index) => (index % 6 < 4 ? value / 64 : value));
    const [found] = read(yolo, [output([2, 6], unit)], { labels });
    expect(found).toMatchObject({ left: close(8), right: close(12), top: close(17), bottom: close(23) });
    expect(read(yolo, [output([2, 6], unit)], { labels, boxScale: "pixels" })[0]?.right).toBeCloseTo(12 / 64);
  });

  it("multiplies the likelihood of any object with that of the class", () => {
    const values = [10, 20, 4, 6, 0.75, 1, 0, 10, 20, 4, 6, 0.5, 0.75, 0];
    expect(read(yoloObjectness, [output([2, 7], values)], { labels })).toEqual([
      { ...expected[0], classIndex: 0 },
    ]);
  });

  it("leaves the factors of masks out of the classes", () => {
    const masks = sparse([3, 16, 16], {}, "masks");
    const boxes = sparse([9, 84], { 0: 10, 84: 20, 168: 4, 252: 6, 420: 0.75, 504: -7 });
    expect(read(yolo, [boxes, masks])).toEqual(expected);
  });

  it("refuses numbers that are no likelihoods, such as logits and points of poses", () => {
    expect(() => yolo([sparse([6, 84], { 420: 500 })], plain)).toThrow(
      "outputs: y [1,6,84] has scores from 0 to 500 where it should have 0 to 1; allowed: a model with its sigmoid or softmax, " +
        "and without numbers other than boxes and classes",
    );
  });

  it("places YOLOX's numbers on the grids of strides 8, 16 and 32", () => {
    // The last but one cell is the third of the coarsest grid: column 0, row 1.
    const values = {
      [82 * 6]: 0.5,
      [82 * 6 + 1]: 0.25,
      [82 * 6 + 3]: Math.log(2),
      [82 * 6 + 4]: 1,
      [82 * 6 + 5]: 0.75,
    };
    expect(read(yolox, [sparse([84, 6], values)])).toEqual([
      { left: 0, right: 32, top: 8, bottom: 72, score: 0.75, classIndex: 0 },
    ]);
    expect(yolox([sparse([80, 6], {})], plain)).toBeUndefined();
  });

  it("reads boxes that the model has put together itself, with the number of their class", () => {
    const head = yoloEndToEnd([output([2, 6], [8, 17, 12, 23, 0.75, 1, 0, 0, 0, 0, 0, 0])], plain);
    expect(head?.isSuppressed).toBe(true);
    expect(head?.read([output([2, 6], [8, 17, 12, 23, 0.75, 1, 0, 0, 0, 0, 0, 0])], 0.5)).toEqual(expected);
  });
});

describe("maps of cells", () => {
  it("reads FastestDet's, with the likelihood of any object weighed above that of the class", () => {
    // Cell 5 of 4 x 4 is column 1, row 1; tanh 0 and sigmoid 0 are its corner and half the frame.
    const map = sparse([7, 4, 4], { 5: 1, [6 * 16 + 5]: 0.75 });
    const box = { left: 0, right: 32, top: 0, bottom: 32, classIndex: 1 };
    expect(read(fastestDet, [map])).toEqual([{ ...box, score: close(0.75 ** 0.4) }]);
  });

  it("reads YOLOv5's before its last step, in both shapes, from its anchors", () => {
    const logit = (part: number): number => Math.log(part / (1 - part));
    const numbers = [0, 0, 0, 0, logit(0.9), logit(0.8), logit(0.25)];
    const split = (anchor: number, cell: number, cells: number): Record<number, number> =>
      Object.fromEntries(numbers.map((value, column) => [(anchor * cells + cell) * 7 + column, value]));
    const flat = (anchor: number, cell: number, cells: number): Record<number, number> =>
      Object.fromEntries(numbers.map((value, column) => [(anchor * 7 + column) * cells + cell, value]));
    // Anchor 1 of stride 16 is 62 x 45; cell 6 of 4 x 4 is column 2, row 1, and its middle is 40, 24.
    const expected = [{ left: 9, right: 71, top: 1.5, bottom: 46.5, score: close(0.72), classIndex: 0 }];
    const empty = (shape: number[]): RowOutput => sparse(shape, {}, "y", -9);
    expect(
      read(yoloAnchors, [
        empty([3, 8, 8, 7]),
        sparse([3, 4, 4, 7], split(1, 6, 16), "y", -9),
        empty([3, 2, 2, 7]),
      ]),
    ).toEqual(expected);
    expect(
      read(yoloAnchors, [empty([21, 2, 2]), sparse([21, 4, 4], flat(1, 6, 16), "y", -9), empty([21, 8, 8])]),
    ).toEqual(expected);
    expect(yoloAnchors([empty([21, 2, 2])], plain)).toBeUndefined();
  });
});

describe("SSD", () => {
  const scores = output([2, 3], [0.125, 0.25, 0.625, 1, 0, 0], "scores");
  const corners = output([2, 4], [0.25, 0.5, 0.75, 1, 0, 0, 1, 1], "boxes");
  const expected = [{ left: 16, top: 32, right: 48, bottom: 64, score: 0.625, classIndex: 1 }];
  const background = { background: true };

  it("reads outputs in either order, without the background class", () => {
    expect(read(ssd, [scores, corners], background)).toEqual(expected);
    expect(read(ssd, [corners, scores], background)).toEqual(expected);
    expect(ssd([scores], plain)).toBeUndefined();
  });

  it("finds the background by the labels, or by the likelihoods of a grey picture", () => {
    expect(read(ssd, [scores, corners], { labels: ["cat", "dog"] })).toEqual(expected);
    expect(read(ssd, [scores, corners], { labels: ["BACKGROUND", "cat", "dog"] })).toEqual(expected);
    expect(read(ssd, [scores, corners], { labels: ["ant", "cat", "dog"] })).toHaveLength(2);
    expect(read(ssd, [scores, corners])).toEqual(expected);
    const noBackground = output([2, 3], [0.125, 0.25, 0.625, 0.25, 0, 0]);
    expect(read(ssd, [noBackground, corners])[0]?.classIndex).toBe(2);
  });

  it("reads corners as top, left, bottom, right, and boxes from their centre", () => {
    const turned = output([2, 4], [0.5, 0.25, 1, 0.75, 0, 0, 1, 1]);
    expect(read(ssd, [scores, turned], { ...background, boxForm: "corners-yx" })).toEqual(expected);
    const centred = output([2, 4], [0.5, 0.75, 0.5, 0.5, 0, 0, 1, 1]);
    expect(read(ssd, [scores, centred], { ...background, boxForm: "centre" })).toEqual(expected);
  });

  it("refuses offsets from anchors that are taken for corners", () => {
    const offsets = output([2, 4], [0.25, 0.5, -0.75, 1, 0, 0, 1, 1], "loc");
    expect(() => ssd([scores, offsets], plain)).toThrow(
      /loc \[1,2,4\] has no corners \(50 % of its boxes end before/,
    );
  });

  it("reads offsets from the anchors of the settings, with points", () => {
    // Two anchors in the one cell of stride 64: its middle is 32, 32.
    const anchors = [{ stride: 64, sizes: [16, [32, 8]] as const }];
    const offsets = output([2, 4], [0, 0, 0, 0, 10, 0, 0, 5 * Math.log(2)], "loc");
    const points = sparse([2, 10], { 10: 10 }, "landms");
    const found = read(ssdAnchors, [offsets, output([2, 2], [1, 0, 0, 1], "conf"), points], {
      anchors,
      ...background,
    });
    expect(found).toMatchObject([
      { left: close(48), right: close(80), top: close(24), bottom: close(40), score: 1 },
    ]);
    expect(found[0]?.points?.slice(0, 4)).toEqual([64, 32, 32, 32]);
    expect(() => ssdAnchors([offsets, scores], { ...plain, anchors: [{ stride: 64, sizes: [16] }] })).toThrow(
      "settings: anchors make 1 boxes; allowed: 2, as the model has loc [1,2,4]",
    );
  });

  it("reads what TensorFlow's last step gives: classes count from 1 unless the labels have the 0", () => {
    const outputs = [
      output([2, 4], [0.5, 0.25, 1, 0.75, 0, 0, 1, 1], "detection_boxes"),
      output([2], [1, 3], "detection_classes"),
      output([2], [0.625, 0], "detection_scores"),
      output([], [1], "num_detections"),
    ];
    expect(read(ssdEndToEnd, outputs)).toEqual([{ ...expected[0], classIndex: 0 }]);
    expect(read(ssdEndToEnd, outputs, { labels: ["", "person"] })[0]?.classIndex).toBe(1);
    const zoo = outputs.map((each) => (each.name === "detection_boxes" ? { ...each, name: "bboxes" } : each));
    expect(() => ssdEndToEnd(zoo, plain)).toThrow(
      "settings: boxForm is not stated; allowed: corners or corners-yx, the order in bboxes [1,2,4]",
    );
    expect(read(ssdEndToEnd, zoo, { boxForm: "corners" })[0]).toMatchObject({ left: 32, top: 16 });
  });
});

describe("boxes from the centres of cells", () => {
  it("reads YuNet's, with five points", () => {
    const level = (stride: number, cell: number | undefined): RowOutput[] => {
      const cells = (64 / stride) ** 2;
      const one = (value: number): Record<number, number> => (cell === undefined ? {} : { [cell]: value });
      return [
        sparse([cells, 1], one(1), `cls_${stride}`),
        sparse([cells, 1], one(0.64), `obj_${stride}`),
        sparse(
          [cells, 4],
          cell === undefined ? {} : { [cell * 4]: 0.5, [cell * 4 + 3]: Math.log(2) },
          `bbox_${stride}`,
        ),
        sparse([cells, 10], {}, `kps_${stride}`),
      ];
    };
    const outputs = [...level(8, undefined), ...level(16, 6), ...level(32, undefined)];
    // Cell 6 of 4 x 4 is column 2, row 1.
    expect(read(yunet, outputs)).toEqual([
      {
        left: 32,
        right: 48,
        top: close(0),
        bottom: close(32),
        score: close(0.8),
        classIndex: 0,
        points: [32, 16, 32, 16, 32, 16, 32, 16, 32, 16],
      },
    ]);
    expect(() => yunet(outputs, { ...plain, frame: { width: 40, height: 64 } })).toThrow(
      /cls_\d+ \[1,\d+,1\] for 40 x 64/,
    );
  });

  it("reads distances to the four sides as distributions", () => {
    const level = (cells: number, cell: number | undefined): RowOutput[] => [
      sparse([cells, 2], cell === undefined ? {} : { [cell * 2 + 1]: 0.75 }, `cls${cells}`),
      // All likelihood is at step 1 to the left and above, 2 to the right and below.
      sparse(
        [cells, 32],
        cell === undefined ? {} : Object.fromEntries([1, 9, 18, 26].map((place) => [cell * 32 + place, 99])),
        `reg${cells}`,
      ),
    ];
    const found = read(distances, [...level(64, undefined), ...level(16, 6), ...level(4, undefined)]);
    // The middle of column 2, row 1 at stride 16 is 40, 24.
    expect(found).toEqual([
      { left: close(24), top: close(8), right: close(72), bottom: close(56), score: 0.75, classIndex: 1 },
    ]);
  });
});

it.each([
  ["yolo", yolo, [6, 84]],
  ["yolo-objectness", yoloObjectness, [84, 7]],
  ["yolox", yolox, [84, 7]],
  ["fastestdet", fastestDet, [7, 4, 4]],
] as const)("%s does not take NaN for the absence of objects", (_, open, shape) => {
  const head = open([sparse(shape, {})], plain);
  expect(() => head?.read([sparse(shape, {}, "y", Number.NaN)], 0.5)).toThrow("a score that is not a number");
});
