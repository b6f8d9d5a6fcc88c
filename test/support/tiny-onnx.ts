/** Makes small ONNX models for tests, byte by byte (protobuf), so that no model file needs to be kept. */
import { Buffer } from "node:buffer";
import type { Datatype } from "../../protocol/datatype.ts";

export interface TinyTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 for a dimension that may vary; undefined when even their number may. */
  readonly shape: readonly number[] | undefined;
}

export interface TinyNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
}

/** ONNX's TensorProto.DataType. */
const elementTypes: Readonly<Record<Datatype, number>> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
};

export interface TinyOptions {
  /** Version of ONNX's operators. Default: 17. */
  readonly opset?: number;
  /** Constants of strings, one dimension each, by their names. */
  readonly strings?: Readonly<Record<string, readonly Uint8Array[]>>;
}

const irVersion = 8;

export function tinyOnnx(
  inputs: readonly TinyTensor[],
  nodes: readonly TinyNode[],
  outputs: readonly TinyTensor[],
  { opset = 17, strings = {} }: TinyOptions = {},
): Buffer {
  const graph = Buffer.concat([
    ...nodes.map((node) => bytes(1, nodeProto(node))),
    text(2, "graph"),
    ...Object.entries(strings).map(([name, elements]) => bytes(5, stringsProto(name, elements))),
    ...inputs.map((tensor) => bytes(11, valueInfo(tensor))),
    ...outputs.map((tensor) => bytes(12, valueInfo(tensor))),
  ]);
  const opsetImport = Buffer.concat([text(1, ""), integer(2, opset)]);
  return Buffer.concat([integer(1, irVersion), bytes(7, graph), bytes(8, opsetImport)]);
}

function nodeProto({ op, inputs, output }: TinyNode): Buffer {
  return Buffer.concat([...inputs.map((name) => text(1, name)), text(2, output), text(4, op)]);
}

function stringsProto(name: string, elements: readonly Uint8Array[]): Buffer {
  const data = elements.map((element) => bytes(6, Buffer.from(element)));
  return Buffer.concat([integer(1, elements.length), integer(2, elementTypes.BYTES), ...data, text(8, name)]);
}

function valueInfo({ name, datatype, shape }: TinyTensor): Buffer {
  const dims = shape?.map((size, axis) => bytes(1, size === -1 ? text(2, `n${axis}`) : integer(1, size)));
  const shapeProto = dims === undefined ? [] : [bytes(2, Buffer.concat(dims))];
  const tensor = Buffer.concat([integer(1, elementTypes[datatype]), ...shapeProto]);
  return Buffer.concat([text(1, name), bytes(2, bytes(1, tensor))]);
}

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 128) return Buffer.from([...out, left]);
    out.push((left & 127) | 128);
  }
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function bytes(field: number, content: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

function text(field: number, content: string): Buffer {
  return bytes(field, Buffer.from(content));
}
