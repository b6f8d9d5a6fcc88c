/** Tensors of the protocol to those of ONNX Runtime's binding for Node, and back. */
import { Buffer, isUtf8 } from "node:buffer";
import type * as ort from "onnxruntime-node";
import { bytesOfElements, elementsOfBytes } from "../../protocol/bytes-elements.ts";
import { type Datatype, datatypes, rawBytes, rawView } from "../../protocol/datatype.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { elementCount, type Tensor, tensorFromStrings } from "../../protocol/tensor.ts";

/** ONNX Runtime's name for each datatype: ours in lower case, except for a few. */
const ortTypes = {
  ...Object.fromEntries(datatypes.map((datatype) => [datatype, datatype.toLowerCase()])),
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
} as Readonly<Record<Datatype, ort.Tensor.Type>>;

/** Throws a ProtocolError (501) when the protocol has no such type. */
export function datatypeOf(type: string): Datatype {
  const datatype = datatypes.find((each) => ortTypes[each] === type);
  if (datatype !== undefined) return datatype;
  throw new ProtocolError(`the model uses tensors of type ${type}, which the protocol does not have`, 501);
}

/** Throws a ProtocolError (400) for strings that the binding would change. */
export function toOrt(Tensor: ort.TensorConstructor, tensor: Tensor): ort.Tensor {
  const { datatype, data, shape } = tensor;
  const elements = datatype === "BYTES" ? textsOf(tensor) : rawView(datatype, data);
  return new Tensor(ortTypes[datatype], elements, shape);
}

/** The elements of BYTES, as far as the binding can carry them: it takes text, and each only up to a NUL. */
function textsOf({ name, data, shape }: Tensor): string[] {
  return elementsOfBytes(data, elementCount(shape), `input "${name}"`).map((element, index) => {
    const place = `input "${name}": element ${index}`;
    const nul = element.indexOf(0);
    if (nul >= 0)
      throw new ProtocolError(
        `${place} has a NUL at byte ${nul}; ONNX Runtime takes strings without NUL only`,
      );
    if (isUtf8(element)) return Buffer.from(element.buffer, element.byteOffset, element.length).toString();
    throw new ProtocolError(`${place} is not UTF-8 text; ONNX Runtime takes strings in UTF-8 only`);
  });
}

/** @param strings the bytes of the elements, where the text that the binding gives is not all that they are */
export function fromOrt(name: string, tensor: ort.Tensor, strings?: readonly Uint8Array[]): Tensor {
  const shape = [...tensor.dims];
  if (strings !== undefined) return { name, datatype: "BYTES", shape, data: bytesOfElements(strings) };
  if (tensor.type === "string") return tensorFromStrings(name, shape, tensor.data as string[]);
  const data = rawBytes(tensor.data as Exclude<ort.Tensor.DataType, string[]>);
  return { name, datatype: datatypeOf(tensor.type), shape, data };
}
