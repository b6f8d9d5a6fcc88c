import { describe, expect, it } from "vitest";
import type { TensorMetadata } from "../../protocol/message.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { requestRows, rowStructure, type RowStructure } from "./row-structure.ts";

type Shapes = Readonly<Record<string, readonly (number | string)[]>>;

/** A name stands for a dimension that may vary, "" for one without a name. */
function structureOf(inputs: Shapes, outputs: Shapes): RowStructure {
  const tensors = (shapes: Shapes): TensorMetadata[] =>
    Object.entries(shapes).map(([name, shape]) => {
      const sizes = shape.map((size) => (typeof size === "number" ? size : -1));
      return { name, datatype: "FP32", shape: sizes };
    });
  const names = (shapes: Shapes): string[][] =>
    Object.values(shapes).map((shape) => shape.map((size) => (typeof size === "number" ? "" : size)));
  const metadata = { name: "m", platform: "", inputs: tensors(inputs), outputs: tensors(outputs) };
  return rowStructure(metadata, { inputs: names(inputs), outputs: names(outputs) });
}

describe("rows can be joined as far as the tensors tell", () => {
  it.each<[string, Shapes, Shapes]>([
    ["when all begin with the same dimension", { x: ["n", 4] }, { y: ["n"] }],
    ["when it has no name", { a: ["", 4], b: ["", ""] }, { y: ["", 2] }],
    ["when its names are numbers of an exporter", { x: ["unk__1", 4] }, { y: ["unk__2", 4] }],
    ["when Paddle's exporter named it", { x: ["p2o.DynamicDimension.0", 3] }, { y: ["DynamicDimension.7"] }],
    ["when only some have a name", { a: ["batch", 4], b: ["", 4] }, { y: ["batch"] }],
  ])("%s", (_, inputs, outputs) => {
    expect(structureOf(inputs, outputs)).toEqual({});
  });
});

describe("rows cannot be joined", () => {
  it.each<[Shapes, Shapes, string]>([
    [{ x: ["n", 4], s: [] }, { y: ["n", 4] }, 'input "s" is a scalar or of unknown rank'],
    [{ x: ["b", 4], h: [2, "b", 4] }, { y: ["b", 4] }, 'the first dimension of input "h" is fixed at 2'],
    [{ x: ["n", 4] }, { y: [4] }, 'the first dimension of output "y" is fixed at 4'],
    [{ x: ["n"] }, { loss: [] }, 'output "loss" is a scalar or of unknown rank'],
    [{ x: [4, 4] }, { y: [2, 4] }, 'the first dimension of input "x" is fixed at 4'],
    [
      { x: ["n", 1, 8, "w"] },
      { y: ["t", "n", 1] },
      'the first dimensions of input "x" ("n") and output "y" ("t") differ in name',
    ],
    [
      { a: ["n", 4], b: ["m", 4] },
      { y: ["n"] },
      'the first dimensions of input "a" ("n") and input "b" ("m") differ in name',
    ],
    [{ x: ["n", 4] }, { y: ["n", "n"] }, 'dimension 1 of output "y" has the name of the rows, "n"'],
    [{}, { y: ["n"] }, "the model has no inputs"],
  ])("%j to %j: %s", (inputs, outputs, obstacle) => {
    expect(structureOf(inputs, outputs)).toMatchObject({ obstacle });
  });

  it("whatever the settings say, when an input has none", () => {
    expect(structureOf({ x: ["n"], s: [] }, { y: ["n"] }).isImpossible).toBe(true);
    expect(structureOf({ x: ["n"] }, { y: [] }).isImpossible).toBe(false);
  });
});

it("a batch is fixed when every input and output begins with the same size", () => {
  expect(structureOf({ a: [8, 4], b: [8] }, { y: [8, "k"] })).toEqual({ fixedRows: 8 });
  expect(structureOf({ x: [1, 3, 224, 224] }, { y: [1, 1_000] })).toEqual({ fixedRows: 1 });
});

it("inputs have rows in common when they have as many, and some", () => {
  const tensor = (...shape: number[]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return tensorFromNumbers("x", "FP32", shape, new Float32Array(count));
  };
  expect(requestRows([tensor(3, 2), tensor(3)])).toBe(3);
  expect(requestRows([tensor(3, 2), tensor(2, 2)])).toBeUndefined();
  expect(requestRows([tensor(3), tensor()])).toBeUndefined();
  expect(requestRows([tensor(0, 3)])).toBeUndefined();
  expect(requestRows([])).toBeUndefined();
});
