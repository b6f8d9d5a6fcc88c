import { expect, it } from "vitest";
import { checkValues } from "../../../base/program/options.ts";
import type { Datatype } from "../../../protocol/datatype.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../protocol/tensor.ts";
import { daemonOptions } from "../options.ts";
import { padded } from "./padding.ts";

const rulesOf = (...pad: string[]) => checkValues(daemonOptions, { pad }, { pad: "--pad" }).pad;

function pad(rule: string, shape: number[], values: number[], datatype: Datatype = "FP32") {
  const request = { id: "r", parameters: {}, inputs: [tensorFromNumbers("x", datatype, shape, values)] };
  const [x] = padded(request, rulesOf(rule).get("m")).inputs;
  return { shape: x?.shape, values: Array.from(tensorToNumbers(x as never), Number) };
}

it("pads a dimension up to the next size, row by row", () => {
  expect(pad("m=x:1:4/8", [2, 3], [1, 2, 3, 4, 5, 6])).toEqual({
    shape: [2, 4],
    values: [1, 2, 3, 0, 4, 5, 6, 0],
  });
});

it("pads an inner dimension, with the value that is given, in any datatype", () => {
  expect(pad("m=x:1:2:-1", [1, 1, 2], [7, 8], "INT64")).toEqual({ shape: [1, 2, 2], values: [7, 8, -1, -1] });
  expect(pad("m=x:2:3:255", [1, 2, 2], [1, 2, 3, 4], "UINT8")).toEqual({
    shape: [1, 2, 3],
    values: [1, 2, 255, 3, 4, 255],
  });
});

it("leaves alone what has a size already, is larger than all, or lacks the dimension", () => {
  for (const shape of [[1, 4], [1, 9], [4]]) {
    const values = Array.from({ length: shape.reduce((a, b) => a * b) }, (_, index) => index);
    expect(pad("m=x:1:4/8", shape, values)).toEqual({ shape, values });
  }
});

it("pads only the inputs and models that are named, each by its own rules", () => {
  const rules = rulesOf("m=x:1:4", "m=y:1:2", "n=x:1:8");
  const tensor = (name: string) => tensorFromNumbers(name, "FP32", [1, 1], [1]);
  const request = { parameters: {}, inputs: ["x", "y", "z"].map(tensor) };
  const shapes = (model: string) => padded(request, rules.get(model)).inputs.map(({ shape }) => shape[1]);
  expect([shapes("m"), shapes("n"), shapes("o")]).toEqual([
    [4, 2, 1],
    [8, 1, 1],
    [1, 1, 1],
  ]);
});

it.each([
  ["m", '"m" has not this form'],
  ["m=x", '"m=x" has not this form'],
  ["m=x:0:4", "the dimension is 0; allowed: an integer, 1 to 31"],
  ["m=x:y:4", 'the dimension is "y"; allowed: an integer, 1 to 31'],
  ["m=x:1:4/4", 'the sizes are "4/4"; allowed: integers that ascend, 1 to 1000000'],
  ["m=x:1:8/4", 'the sizes are "8/4"; allowed: '],
  ["m=x:1:0/4", 'the sizes are "0/4"; allowed: '],
  ["m=x:1:4:much", 'the value is "much"; allowed: a number'],
])("refuses %j and says what is wrong with it", (rule, why) => {
  expect(() => rulesOf("m=x:1:4", rule)).toThrow(
    `--pad is "${rule}"; allowed: MODEL=INPUT:DIMENSION:SIZE/SIZE/...[:VALUE], such as ocr-rec=x:3:160/320/640; ${why}`,
  );
});
