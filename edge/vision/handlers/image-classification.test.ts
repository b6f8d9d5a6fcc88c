import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { bytesOfElements } from "../../../protocol/bytes-elements.ts";
import {
  type Tensor,
  tensorFromNumbers,
  tensorToNumbers,
  tensorToStrings,
} from "../../../protocol/tensor.ts";
import type { Handler, HandlerModel, Predict } from "./handler.ts";
import { handlerTools } from "./handler-tools.ts";
import { imageClassification } from "./image-classification.ts";

type Setup = Partial<Pick<HandlerModel, "labels" | "settings">>;

const outputs =
  (...given: readonly (readonly [name: string, shape: number[], values: number[]])[]): Predict =>
  () =>
    given.map(([name, shape, values]) => tensorFromNumbers(name, "FP32", shape, values));

const open = (run: Predict, { labels, settings = {} }: Setup = {}): Promise<Handler> =>
  imageClassification(
    {
      name: "m",
      version: "1",
      folder: "",
      settings,
      labels,
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3, 8, 8] }],
      outputs: [],
    },
    run,
  );

async function ask(handler: Handler, run: Predict): Promise<readonly [labels: string[], scores: number[]]> {
  const file = await sharp({ create: { width: 9, height: 20, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const image: Tensor = { name: "image", datatype: "BYTES", shape: [1], data: bytesOfElements([file]) };
  const prepared = await handler.preprocess?.([image], handlerTools);
  const given = await run(prepared?.inputs ?? []);
  const [labels, scores] = (await handler.postprocess?.(given, prepared?.note, handlerTools)) ?? [];
  return [
    tensorToStrings(labels as Tensor),
    Array.from(tensorToNumbers(scores as Tensor), (each) => Number(each.toFixed(3))),
  ];
}

describe("image classification", () => {
  it("takes numbers that are parts of one for probabilities, and others for logits, unless it is told", async () => {
    const likely = outputs(["y", [1, 3], [0.25, 0.5, 0.25]]);
    expect(await ask(await open(likely), likely)).toEqual([
      ["1", "0", "2"],
      [0.5, 0.25, 0.25],
    ]);
    const logits = outputs(["y", [1, 3, 1, 1], [0, Math.log(2), 0]]);
    expect(await ask(await open(logits), logits)).toEqual([
      ["1", "0", "2"],
      [0.5, 0.25, 0.25],
    ]);
    const told = await open(likely, { settings: { scores: "logits", top: 1 } });
    expect(await ask(told, likely)).toEqual([["1"], [0.391]]);
  });

  it("picks the output that has a number for each label, or the one that is named", async () => {
    const several = outputs(
      ["features", [1, 2, 2], [1, 2, 3, 4]],
      ["a", [1, 2], [0, 1]],
      ["b", [1, 3], [1, 0, 0]],
    );
    expect((await ask(await open(several, { labels: ["x", "y", "z"] }), several))[0][0]).toBe("x");
    expect((await ask(await open(several, { settings: { output: "a" } }), several))[0][0]).toBe("1");
    await expect(open(several)).rejects.toThrow(
      "settings: output is not stated; the model has outputs features [1,2,2], a [1,2], b [1,3]; allowed: a, b",
    );
    await expect(open(several, { settings: { output: "c" } })).rejects.toThrow(
      /output is c; .* allowed: one output \[rows, classes\]/,
    );
  });

  it("refuses labels that are not one for each class, one class alone, and maps", async () => {
    const three = outputs(["y", [1, 3], [0, 0, 1]]);
    await expect(open(three, { labels: ["a", "b"] })).rejects.toThrow(
      "labels has 2 entries; allowed: 3, one for each class of y [1,3]",
    );
    const counted = await open(three, { labels: ["", "a", "b", "c"] });
    expect((await ask(counted, three))[0][0]).toBe("c");
    await expect(open(outputs(["y", [1, 1], [0.5]]))).rejects.toThrow(
      /y \[1,1\]; allowed: one output .* of 2 classes or more/,
    );
    await expect(open(outputs(["y", [1, 2, 2], [0, 1, 2, 3]]))).rejects.toThrow(
      /y \[1,2,2\]; allowed: one output/,
    );
  });

  it("fails the request when the model gives NaN, as one in halves does when it overflows", async () => {
    const overflown = outputs(["y", [1, 3], [Number.NaN, 0, 1]]);
    const handler = await open(outputs(["y", [1, 3], [2, 0, 1]]));
    await expect(ask(handler, overflown)).rejects.toThrow("a score that is not a number");
  });
});
