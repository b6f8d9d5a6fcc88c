/** Small ONNX models beyond what `tinyOnnx` makes. What follows the bytes of a model is merged into it. */
import { Buffer } from "node:buffer";
import { bytes, integer, text, tinyOnnx } from "./tiny-onnx.ts";

/** ONNX's TensorProto.DataType. */
const [float, string] = [1, 8];

/** The model with a constant of strings, of one dimension. */
export function withStrings(model: Buffer, name: string, elements: readonly Uint8Array[]): Buffer {
  const data = elements.map((element) => bytes(6, Buffer.from(element)));
  const tensor = [integer(1, elements.length), integer(2, string), ...data, text(8, name)];
  return Buffer.concat([model, bytes(7, bytes(5, Buffer.concat(tensor)))]);
}

/** The model with another version of ONNX's operators. */
export function withOpset(model: Buffer, opset: number): Buffer {
  return Buffer.concat([model, bytes(8, Buffer.concat([text(1, ""), integer(2, opset)]))]);
}

/** FP32 `x` of any number of dimensions, given back as `y`. */
export function identityOfAnyRank(): Buffer {
  const value = (name: string): Buffer =>
    Buffer.concat([text(1, name), bytes(2, bytes(1, integer(1, float)))]);
  const plain = tinyOnnx([], [{ op: "Identity", inputs: ["x"], output: "y" }], []);
  return Buffer.concat([plain, bytes(7, Buffer.concat([bytes(11, value("x")), bytes(12, value("y"))]))]);
}
