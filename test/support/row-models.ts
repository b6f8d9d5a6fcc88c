/** Small ONNX models that treat rows apart, and such that only look like it, for tests of what may be joined. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../base/random.ts";
import { type TinyConstants, type TinyNode, tinyOnnx, type TinyTensor } from "./tiny-onnx.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-row-models-"));
let files = 0;

/** Writes a model into a file of its own. Returns its path. */
export function writeModel(onnx: Uint8Array): string {
  const path = join(folder, `${files++}.onnx`);
  writeFileSync(path, onnx);
  return path;
}

/** Writes a handler module, a model without an ONNX file. Returns its path. */
export function writeHandler(source: string): string {
  const path = join(folder, `${files++}.mjs`);
  writeFileSync(path, source);
  return path;
}

export function fp32(name: string, ...shape: (number | string)[]): TinyTensor {
  return { name, datatype: "FP32", shape };
}

const random = seededRandom(7);

/** Small constants. */
export function weights(...shape: number[]): TinyConstants[string] {
  const count = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Float32Array.from({ length: count }, () => random() - 0.5) };
}

export function ints(...values: number[]): TinyConstants[string] {
  return { shape: [values.length], data: BigInt64Array.from(values, BigInt) };
}

/** Nodes from `x` to `y`, each a step on the one before. */
function chain(...steps: readonly Omit<TinyNode, "output" | "inputs">[]): TinyNode[] {
  return steps.map((step, index) => ({
    ...step,
    inputs: [index === 0 ? "x" : `t${index}`],
    output: index === steps.length - 1 ? "y" : `t${index + 1}`,
  }));
}

const [x, y] = [fp32("x", "n", 4), fp32("y", "n", 4)];
const node = (op: string, inputs: string[], output: string, attributes = {}): TinyNode => {
  return { op, inputs, output, attributes };
};

const lstm = (rowsAxis: 0 | 1): Buffer => {
  const hidden = 3;
  const constants = {
    w: weights(1, 4 * hidden, 2),
    r: weights(1, 4 * hidden, hidden),
    axis: ints(1),
    last: { shape: [], data: BigInt64Array.from([-1n]) },
  };
  // ONNX has the sequence first: [T, N, C].
  const before = rowsAxis === 0 ? [node("Transpose", ["x"], "s", { perm: [1, 0, 2] })] : [];
  const nodes = [
    ...before,
    node("LSTM", [rowsAxis === 0 ? "s" : "x", "w", "r"], "all,h", { hidden_size: hidden }),
    ...(rowsAxis === 0
      ? [node("Gather", ["h", "last"], "y", { axis: 0 })]
      : [node("Squeeze", ["all", "axis"], "y")]),
  ];
  return rowsAxis === 0
    ? tinyOnnx([fp32("x", "n", "t", 2)], nodes, [fp32("y", "n", hidden)], constants)
    : tinyOnnx([fp32("x", "n", "b", 2)], nodes, [fp32("y", "n", "b", hidden)], constants);
};

/** Each row's answer depends on that row alone. */
export const rowWise: Readonly<Record<string, () => Buffer>> = {
  identity: () => tinyOnnx([x], chain({ op: "Identity" }), [y]),
  "a chain of element-wise operators": () =>
    tinyOnnx([x], chain({ op: "Tanh" }, { op: "Exp" }, { op: "Sqrt" }), [y]),
  "softmax over a row": () => tinyOnnx([x], chain({ op: "Softmax", attributes: { axis: 1 } }), [y]),
  "a dense layer": () =>
    tinyOnnx([x], [node("MatMul", ["x", "w"], "y")], [fp32("y", "n", 6)], { w: weights(4, 6) }),
  "a convolution of pictures": () =>
    tinyOnnx(
      [fp32("x", "n", 3, "h", "w")],
      [node("Conv", ["x", "k"], "c"), node("GlobalAveragePool", ["c"], "y")],
      [fp32("y", "n", 5, 1, 1)],
      { k: weights(5, 3, 3, 3) },
    ),
  "attention over the tokens of a row": () =>
    tinyOnnx(
      [fp32("x", "n", "t", 4)],
      [
        node("Transpose", ["x"], "xt", { perm: [0, 2, 1] }),
        node("MatMul", ["x", "xt"], "s"),
        node("Softmax", ["s"], "a", { axis: 2 }),
        node("MatMul", ["a", "x"], "y"),
      ],
      [fp32("y", "n", "t", 4)],
    ),
  "an LSTM with the rows first": () => lstm(0),
  "a classifier with labels": () =>
    tinyOnnx(
      [x],
      [node("ArgMax", ["x"], "label", { axis: 1, keepdims: 0 }), node("Softmax", ["x"], "y")],
      [{ name: "label", datatype: "INT64", shape: ["n"] }, y],
    ),
  "dimensions that its exporter numbers through": () =>
    tinyOnnx([fp32("x", "unk__5", 4)], chain({ op: "Relu" }), [fp32("y", "unk__9", 4)]),
};

/** A layer that is quantised by the range of the whole batch, so that answers change a little in company. */
export function quantised(): Buffer {
  const width = 64;
  const bytes = BigInt64Array.from({ length: width * 8 }, () => BigInt(Math.floor(random() * 256)));
  const nodes = [
    node("DynamicQuantizeLinear", ["x"], "q,scale,zero"),
    node("Cast", ["w"], "wq", { to: 2 }),
    node("MatMulInteger", ["q", "wq", "zero"], "sums"),
    node("Cast", ["sums"], "numbers", { to: 1 }),
    node("Mul", ["numbers", "scale"], "y"),
  ];
  return tinyOnnx([fp32("x", "n", width)], nodes, [fp32("y", "n", 8)], {
    w: { shape: [width, 8], data: bytes },
  });
}

/** Rows of one request are mixed, or would be mixed with those of others. */
export const crossRow: Readonly<Record<string, () => Buffer>> = {
  "attention over the first dimension": () =>
    tinyOnnx(
      [x],
      [
        node("Transpose", ["x"], "xt", { perm: [1, 0] }),
        node("MatMul", ["x", "xt"], "s"),
        node("Softmax", ["s"], "a", { axis: 1 }),
        node("MatMul", ["a", "x"], "y"),
      ],
      [y],
    ),
  "softmax over the first dimension": () =>
    tinyOnnx([x], chain({ op: "Softmax", attributes: { axis: 0 } }), [y]),
  "a running sum over rows": () =>
    tinyOnnx([x], [node("CumSum", ["x", "axis"], "y")], [y], {
      axis: { shape: [], data: BigInt64Array.from([0n]) },
    }),
  "what is over the mean of all rows": () =>
    tinyOnnx(
      [x],
      [node("ReduceMean", ["x"], "m", { axes: [0], keepdims: 1 }), node("Sub", ["x", "m"], "y")],
      [y],
    ),
  "rows divided by the largest": () =>
    tinyOnnx(
      [x],
      [node("ReduceMax", ["x"], "m", { axes: [0], keepdims: 1 }), node("Div", ["x", "m"], "y")],
      [y],
    ),
  "the largest over all rows": () =>
    tinyOnnx([x], [node("ReduceMax", ["x"], "y", { axes: [0], keepdims: 1 })], [fp32("y", "n", 4)]),
  "rows sorted": () =>
    tinyOnnx(
      [x],
      [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "zero"], "rows", { axis: 0 }),
        node("TopK", ["x", "rows"], "y,i", { axis: 0 }),
      ],
      [y],
      { zero: ints(0) },
    ),
  "scores over all rows beside large coordinates": () =>
    tinyOnnx(
      [x],
      [
        node("Mul", ["x", "pixels"], "box"),
        node("Slice", ["x", "three", "four", "one"], "last"),
        node("Softmax", ["last"], "score", { axis: 0 }),
        node("Concat", ["box", "score"], "y", { axis: 1 }),
      ],
      [fp32("y", "n", 5)],
      {
        pixels: { shape: [1], data: Float32Array.of(2_000) },
        one: ints(1),
        three: ints(3),
        four: ints(4),
      },
    ),
  "an output turned round": () =>
    tinyOnnx([fp32("x", "n", "m")], chain({ op: "Transpose", attributes: { perm: [1, 0] } }), [
      fp32("y", "n", "m"),
    ]),
  "places of what is not zero": () =>
    tinyOnnx(
      [x],
      [node("NonZero", ["x"], "nz"), node("Transpose", ["nz"], "y", { perm: [1, 0] })],
      [{ name: "y", datatype: "INT64", shape: ["n", 2] }],
    ),
  "rows without their doubles": () => tinyOnnx([x], chain({ op: "Unique", attributes: { axis: 0 } }), [y]),
  "an LSTM with the sequence first": () => lstm(1),
  "a convolution along the rows": () =>
    tinyOnnx(
      [x],
      [
        node("Transpose", ["x"], "xt", { perm: [1, 0] }),
        node("Unsqueeze", ["xt", "zero"], "one"),
        node("Conv", ["one", "k"], "c", { pads: [1, 1] }),
        node("Squeeze", ["c", "zero"], "ct"),
        node("Transpose", ["ct"], "y", { perm: [1, 0] }),
      ],
      [y],
      { zero: ints(0), k: weights(4, 4, 3) },
    ),
  "a shift by twenty rows": () =>
    tinyOnnx(
      [x],
      [
        node("Slice", ["x", "start", "end", "zero"], "late"),
        node("Slice", ["x", "zero", "start", "zero"], "early"),
        node("Concat", ["late", "early"], "y", { axis: 0 }),
      ],
      [y],
      { zero: ints(0), start: ints(20), end: ints(1_000_000) },
    ),
  "a shape that holds one row": () =>
    tinyOnnx([x], [node("Reshape", ["x", "shape"], "y")], [y], { shape: ints(1, 4) }),
  chance: () => tinyOnnx([x], [node("RandomNormalLike", ["x"], "r"), node("Add", ["x", "r"], "y")], [y]),
};
