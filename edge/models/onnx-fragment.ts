/**
 * Parts of an ONNX model as bytes (protobuf). What follows a model's bytes is merged into it by every reader of protobuf:
 * lists grow, so nodes and outputs are added without a look at the model.
 */
import { Buffer } from "node:buffer";

/** ONNX's TensorProto.DataType. */
const elementTypes = { int64: 7, string: 8 } as const;
export type FragmentType = keyof typeof elementTypes;

/** Attributes: text, given as bytes, or integers. */
type Attributes = Readonly<Record<string, Buffer | number>>;

export class OnnxFragment {
  readonly #graph: Buffer[] = [];

  /** Add a node of ONNX's own domain. */
  node(op: string, inputs: readonly string[], outputs: readonly string[], attributes: Attributes = {}): void {
    const node = [
      ...inputs.map((name) => text(1, name)),
      ...outputs.map((name) => text(2, name)),
      text(4, op),
      ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
    ];
    this.#graph.push(bytes(1, Buffer.concat(node)));
  }

  /** Add a constant of small integers from -1: a scalar, or a list. */
  constant(name: string, value: number | readonly number[]): void {
    const values = typeof value === "number" ? [value] : value;
    const raw = Buffer.from(BigInt64Array.from(values, BigInt).buffer);
    const dims = typeof value === "number" ? [] : [integer(1, values.length)];
    const tensor = [...dims, integer(2, elementTypes.int64), text(8, name), bytes(9, raw)];
    this.#graph.push(bytes(5, Buffer.concat(tensor)));
  }

  /** Make a value that the nodes give an output of the model. */
  output(name: string, type: FragmentType): void {
    const tensorType = bytes(1, integer(1, elementTypes[type]));
    this.#graph.push(bytes(12, Buffer.concat([text(1, name), bytes(2, tensorType)])));
  }

  /** @param opset version of ONNX's operators that the whole model shall have; undefined for its own */
  toBytes(opset?: number): Buffer {
    const opsets = opset === undefined ? [] : [bytes(8, Buffer.concat([text(1, ""), integer(2, opset)]))];
    return Buffer.concat([bytes(7, Buffer.concat(this.#graph)), ...opsets]);
  }
}

function attribute(name: string, value: Buffer | number): Buffer {
  const content =
    typeof value === "number" ? [integer(3, value), integer(20, 2)] : [bytes(4, value), integer(20, 3)];
  return Buffer.concat([text(1, name), ...content]);
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

function bytes(field: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

function text(field: number, content: string): Buffer {
  return bytes(field, Buffer.from(content));
}
