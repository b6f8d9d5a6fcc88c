/** Makes small ONNX models for tests, byte by byte (protobuf), so that no model file needs to be kept. */
import { Buffer } from "node:buffer";
import type { Datatype } from "../../protocol/datatype.ts";

export interface TinyTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 for a dimension that may vary. */
  readonly shape: readonly number[];
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

const opset = 17;
const irVersion = 8;

export function tinyOnnx(
  inputs: readonly TinyTensor[],
  nodes: readonly TinyNode[],
  outputs: readonly TinyTensor[],
): Buffer {
  const graph = Buffer.concat([
    ...nodes.map((node) => bytes(1, nodeProto(node))),
    text(2, "graph"),
    ...inputs.map((tensor) => bytes(11, valueInfo(tensor))),
    ...outputs.map((tensor) => bytes(12, valueInfo(tensor))),
  ]);
  const opsetImport = Buffer.concat([text(1, ""), integer(2, opset)]);
  return Buffer.concat([integer(1, irVersion), bytes(7, graph), bytes(8, opsetImport)]);
}

function nodeProto({ op, inputs, output }: TinyNode): Buffer {
  return Buffer.concat([...inputs.map((name) => text(1, name)), text(2, output), text(4, op)]);
}

function valueInfo({ name, datatype, shape }: TinyTensor): Buffer {
  const dims = shape.map((size, axis) => bytes(1, size === -1 ? text(2, `n${axis}`) : integer(1, size)));
  const tensor = Buffer.concat([integer(1, elementTypes[datatype]), bytes(2, Buffer.concat(dims))]);
  return Buffer.concat([text(1, name), bytes(2, bytes(1, tensor))]);
}

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 128) return Buffer.from([...out, left]);
    out.push((left & 127) | 128);
  }
}

export function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

export function bytes(field: number, content: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

export function text(field: number, content: string): Buffer {
  return bytes(field, Buffer.from(content));
}
