/** Makes small ONNX models for tests, byte by byte (protobuf), so that no model file needs to be kept. */
import { Buffer } from "node:buffer";
import type { Datatype } from "../../protocol/datatype.ts";

export interface TinyTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 for a dimension that may vary, or its name. */
  readonly shape: readonly (number | string)[];
}

export interface TinyNode {
  readonly op: string;
  readonly inputs: readonly string[];
  /** Several have commas between. */
  readonly output: string;
  readonly attributes?: Readonly<Record<string, number | readonly number[] | string>>;
}

/** A constant of the graph, by its name. */
export type TinyConstants = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array | BigInt64Array }>
>;

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
  constants: TinyConstants = {},
): Buffer {
  const graph = Buffer.concat([
    ...nodes.map((node) => bytes(1, nodeProto(node))),
    text(2, "graph"),
    ...Object.entries(constants).map(([name, constant]) => bytes(5, tensorProto(name, constant))),
    ...inputs.map((tensor) => bytes(11, valueInfo(tensor))),
    ...outputs.map((tensor) => bytes(12, valueInfo(tensor))),
  ]);
  const opsetImport = Buffer.concat([text(1, ""), integer(2, opset)]);
  return Buffer.concat([integer(1, irVersion), bytes(7, graph), bytes(8, opsetImport)]);
}

function nodeProto({ op, inputs, output, attributes = {} }: TinyNode): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    ...output.split(",").map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => bytes(5, attributeProto(name, value))),
  ]);
}

function attributeProto(name: string, value: number | readonly number[] | string): Buffer {
  const [int, string, ints] = [2, 3, 7];
  if (typeof value === "number") return Buffer.concat([text(1, name), integer(3, value), integer(20, int)]);
  if (typeof value === "string") return Buffer.concat([text(1, name), text(4, value), integer(20, string)]);
  return Buffer.concat([text(1, name), ...value.map((each) => integer(8, each)), integer(20, ints)]);
}

function tensorProto(name: string, { shape, data }: TinyConstants[string]): Buffer {
  const type = elementTypes[data instanceof Float32Array ? "FP32" : "INT64"];
  const raw = bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  return Buffer.concat([...shape.map((size) => integer(1, size)), integer(2, type), text(8, name), raw]);
}

function valueInfo({ name, datatype, shape }: TinyTensor): Buffer {
  const dims = shape.map((size, axis) => bytes(1, dimension(size, axis)));
  const tensor = Buffer.concat([integer(1, elementTypes[datatype]), bytes(2, Buffer.concat(dims))]);
  return Buffer.concat([text(1, name), bytes(2, bytes(1, tensor))]);
}

function dimension(size: number | string, axis: number): Buffer {
  if (typeof size === "string") return text(2, size);
  return size === -1 ? text(2, `n${axis}`) : integer(1, size);
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
