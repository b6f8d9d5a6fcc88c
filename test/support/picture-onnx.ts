/** Small ONNX models of pictures of 32 x 32, whose answers say which quarters of a picture are light. */
import { type TinyConstants, type TinyNode, tinyOnnx, type TinyTensor } from "./tiny-onnx.ts";

/** ONNX's TensorProto.DataType. */
const [float, half] = [1, 10];
/** Left, top, right, bottom of each quarter in parts of the frame. */
const quarters = [0, 1, 2, 3].map((index) => {
  const [x, y] = [(index % 2) / 2, Math.floor(index / 2) / 2];
  return [x, y, x + 0.5, y + 0.5] as const;
});

const floats = (shape: number[], data: number[]): TinyConstants[string] => ({
  shape,
  data: new Float32Array(data),
});
const whole = (...data: number[]): TinyConstants[string] => ({
  shape: [data.length],
  data: BigInt64Array.from(data, BigInt),
});
const node = (op: string, inputs: string[], output: string, attributes = {}): TinyNode => {
  return { op, inputs, output, attributes };
};

/** From `x` to `light` [rows, 4]: the mean of each quarter. */
function lightNodes(isNhwc: boolean): TinyNode[] {
  return [
    node("Cast", ["x"], "floats", { to: float }),
    ...(isNhwc ? [node("Transpose", ["floats"], "planes", { perm: [0, 3, 1, 2] })] : []),
    node("AveragePool", [isNhwc ? "planes" : "floats"], "means", {
      kernel_shape: [16, 16],
      strides: [16, 16],
    }),
    node("Reshape", ["means", "byChannel"], "apart"),
    node("ReduceMean", ["apart"], "lightOfBytes", { axes: [1], keepdims: 0 }),
    node("Mul", ["lightOfBytes", "part"], "light"),
  ];
}

const constantsOf = (channels: number, scale: number): TinyConstants => ({
  byChannel: whole(-1, channels, 4),
  part: floats([], [1 / scale]),
});

/** A classifier in halves of grey pictures, one a run: ten times the lightness of each quarter. */
export function halfClassifier(): Buffer {
  return tinyOnnx(
    [{ name: "x", datatype: "FP16", shape: [1, 1, 32, 32] }],
    [
      ...lightNodes(false),
      node("Mul", ["light", "ten"], "logits"),
      node("Cast", ["logits"], "y", { to: half }),
    ],
    [{ name: "y", datatype: "FP16", shape: [1, 4] }],
    { ...constantsOf(1, 1), ten: floats([], [10]) },
  );
}

/** A classifier of bytes, pixel by pixel, that gives probabilities, and features beside them. */
export function byteClassifier(): Buffer {
  return tinyOnnx(
    [{ name: "x", datatype: "UINT8", shape: ["n", 32, 32, 3] }],
    [
      ...lightNodes(true),
      node("Mul", ["light", "ten"], "logits"),
      node("Softmax", ["logits"], "y", { axis: 1 }),
      node("Reshape", ["light", "wide"], "features"),
    ],
    [fp32("features", "n", 2, 2), fp32("y", "n", 4)],
    { ...constantsOf(3, 255), ten: floats([], [10]), wide: whole(-1, 2, 2) },
  );
}

/** A detector in the way of YOLOv8, of any number of pictures: a box for each quarter, whose score is its lightness. */
export function columnDetector(): Buffer {
  const centred = [0, 1, 2, 3].flatMap((column) =>
    quarters.map(([left, top]) => 32 * ([left + 0.25, top + 0.25][column] ?? 0.5)),
  );
  return tinyOnnx(
    [fp32("x", "n", 3, 32, 32)],
    [
      ...lightNodes(false),
      node("Reshape", ["light", "row"], "scores"),
      node("Mul", ["scores", "none"], "zeros"),
      node("Add", ["zeros", "boxes"], "placed"),
      node("Concat", ["placed", "scores"], "y", { axis: 1 }),
    ],
    [fp32("y", "n", 5, 4)],
    { ...constantsOf(3, 1), row: whole(-1, 1, 4), none: floats([], [0]), boxes: floats([1, 4, 4], centred) },
  );
}

/** A detector in the way of UltraFace, one picture a run: scores of background and face, and corners in 0..1. */
export function pairDetector(): Buffer {
  return tinyOnnx(
    [fp32("x", 1, 3, 32, 32)],
    [
      ...lightNodes(false),
      node("Reshape", ["light", "column"], "faces"),
      node("Sub", ["one", "faces"], "others"),
      node("Concat", ["others", "faces"], "scores", { axis: 2 }),
      node("Mul", ["faces", "none"], "zeros"),
      node("Add", ["zeros", "corners"], "boxes"),
    ],
    [fp32("scores", 1, 4, 2), fp32("boxes", 1, 4, 4)],
    {
      ...constantsOf(3, 1),
      column: whole(-1, 4, 1),
      one: floats([], [1]),
      none: floats([], [0]),
      corners: floats([1, 4, 4], quarters.flat()),
    },
  );
}

function fp32(name: string, ...shape: (number | string)[]): TinyTensor {
  return { name, datatype: "FP32", shape };
}
