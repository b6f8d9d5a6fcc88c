import { describe, expect, it } from "vitest";
import { chooseHead } from "./choose-head.ts";
import type { HeadContext, RowOutput } from "./head.ts";

/** An output of zeros, or of the values that `fill` gives by row and column. */
function output(
  shape: readonly number[],
  name = "y",
  fill: (row: number, column: number) => number = () => 0,
): RowOutput {
  const count = shape.reduce((product, size) => product * size, 1);
  const columns = shape.at(-1) ?? 1;
  const values = Float32Array.from({ length: count }, (_, index) =>
    fill(Math.floor(index / columns), index % columns),
  );
  return { name, shape, values };
}

function chosen(
  outputs: readonly RowOutput[],
  context: Partial<HeadContext> & { readonly side?: number } = {},
) {
  const { side = 640, ...others } = context;
  return chooseHead(undefined, outputs, {
    frame: { width: side, height: side },
    labels: undefined,
    ...others,
  });
}

const coco = Array.from({ length: 80 }, (_, index) => `class ${index}`);
const spread = (row: number, column: number): number => (column < 2 ? row % 600 : column < 4 ? 20 : 0.1);

describe("the head that outputs fit", () => {
  it.each([
    ["yolo", [output([84, 8400])], {}],
    ["yolo", [output([84, 8400])], { labels: coco }],
    ["yolo", [output([8400, 84])], { labels: coco }],
    ["yolo", [output([116, 8400]), output([32, 160, 160], "masks")], { labels: coco }],
    ["yolo-objectness", [output([25_200, 85])], {}],
    ["yolo-objectness", [output([85, 25_200])], { labels: coco }],
    ["yolo-objectness", [output([8400, 85], "y", spread)], { labels: coco }],
    ["yolox", [output([8400, 85], "y", (_, column) => (column === 2 ? -1 : 0.1))], { labels: coco }],
    ["yolo-end-to-end", [output([300, 6])], { labels: coco }],
    ["yolo", [output([5, 4], "y", (row) => (row < 4 ? row * 10 : 0.5))], { labels: ["cat"] }],
    ["yolo", [output([20, 6], "y", () => 0.5)], { labels: ["cat", "dog"] }],
    ["yolo-anchors", [80, 40, 20].map((side) => output([3, side, side, 85], `y${side}`, () => -1)), {}],
    ["fastestdet", [output([85, 20, 20])], { labels: coco }],
    ["distances", [output([8500, 112])], { labels: coco }],
    ["ssd", [output([8732, 4], "boxes"), output([8732, 81], "scores")], { labels: coco }],
    [
      "ssd-end-to-end",
      [
        output([100, 4], "detection_boxes"),
        output([100], "scores"),
        output([100], "classes"),
        output([], "count"),
      ],
      { labels: coco },
    ],
    ["ultraface", [output([23_500, 2], "scores"), output([23_500, 4], "boxes")], { labels: ["face"] }],
    [
      "retinaface",
      [
        output([16_800, 4], "loc", (_, column) => -column),
        output([16_800, 2], "conf"),
        output([16_800, 10], "landms"),
      ],
      {},
    ],
  ] as const)("is %s", (name, outputs, context) => {
    const head = chosen(outputs, context);
    expect(head.name).toBe(name);
    expect(head.label(0)).toBe("labels" in context ? context.labels[0] : "0");
  });

  it("is refused where two would fit, or none", () => {
    expect(() => chosen([output([8400, 85], "y", spread)])).toThrow(
      "outputs: the model has outputs y [1,8400,85]; allowed: yolo or yolo-objectness in settings.outputs, or labels",
    );
    expect(() => chosen([output([300, 6])], { labels: ["cat", "dog"] })).toThrow(
      "allowed: yolo-end-to-end or yolo in settings.outputs, or labels",
    );
    expect(() => chosen([output([84, 8400])], { labels: ["cat"] })).toThrow(
      "outputs: the model has outputs y [1,84,8400]; allowed: those of yolo, yolo-objectness, ",
    );
    expect(() => chosen([output([8400, 64], "boxes"), output([8400, 6], "scores")])).toThrow(
      /boxes \[1,8400,64\], scores/,
    );
    expect(() => chosen([output([256], "features")])).toThrow(
      /features \[1,256\]; allowed: those of yolo, .*, distances \(docs\/guide\/handlers.md\), or a handler of your own$/,
    );
  });
});

describe("a head that settings name", () => {
  const context = { frame: { width: 320, height: 320 }, labels: undefined };

  it("is refused with its form where outputs have another one", () => {
    expect(() => chooseHead("ssd", [output([84, 2100])], context)).toThrow(
      "outputs: the model has outputs y [1,84,2100]; allowed for ssd: [boxes, 4] and [boxes, classes], for each picture of " +
        "320 x 320",
    );
  });

  it("is refused where there is not a label for each class, which would name all of them wrongly", () => {
    expect(() => chooseHead("yolo", [output([84, 2100])], { ...context, labels: ["cat", "dog"] })).toThrow(
      "labels has 2 entries; allowed: 80, one for each class of y [1,84,2100]",
    );
    const twelve = [1600, 400].flatMap((cells) => [output([cells, 8], "a"), output([cells, 32], "b")]);
    expect(() => chooseHead("yolo", twelve, context)).toThrow("allowed for yolo: [4 + classes, boxes]");
    const head = chooseHead("yolo", [output([6, 2100])], { ...context, labels: ["", "cat", "dog"] });
    expect([head.label(0), head.label(1), head.label(7)]).toEqual(["cat", "dog", "7"]);
  });
});
