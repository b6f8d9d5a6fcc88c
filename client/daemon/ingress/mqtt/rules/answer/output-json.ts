/** The outputs of an answer as JSON, nested as their shapes say. */
import { Buffer, isUtf8 } from "node:buffer";
import { elementsOfBytes } from "../../../../../../protocol/bytes-elements.ts";
import { rawView } from "../../../../../../protocol/datatype.ts";
import { fromHalf } from "../../../../../../protocol/half.ts";
import { checkTensor, elementCount, type Tensor } from "../../../../../../protocol/tensor.ts";

/**
 * By their names. 64-bit integers that a number cannot state are bigints; bytes that are no text are base64, or with
 * `keepsBytes` stay bytes, as do texts. Throws a ProtocolError when a tensor breaks the protocol.
 */
export function outputsJson(tensors: readonly Tensor[], keepsBytes: boolean): Record<string, unknown> {
  return Object.fromEntries(
    tensors.map((tensor) => {
      checkTensor(tensor);
      return [tensor.name, nested(elementsOf(tensor, keepsBytes), tensor.shape)];
    }),
  );
}

function elementsOf({ name, datatype, shape, data }: Tensor, keepsBytes: boolean): unknown[] {
  switch (datatype) {
    case "BYTES": {
      const elements = elementsOfBytes(data, elementCount(shape), `output "${name}"`);
      return keepsBytes ? elements : elements.map(textOfElement);
    }
    case "BOOL":
      return Array.from(data, (byte) => byte !== 0);
    case "FP16":
      return Array.from(rawView(datatype, data), fromHalf);
    case "BF16":
      return Array.from(rawView(datatype, data), fromBf16);
    case "INT64":
    case "UINT64":
      return Array.from(rawView(datatype, data), (value) => {
        const number = Number(value);
        return Number.isSafeInteger(number) ? number : value;
      });
    default:
      return Array.from(rawView(datatype, data));
  }
}

function textOfElement(element: Uint8Array): unknown {
  const bytes = Buffer.from(element.buffer, element.byteOffset, element.length);
  return bytes.toString(isUtf8(bytes) ? "utf8" : "base64");
}

/** The upper half of the bits of a 32-bit float. */
function fromBf16(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}

function nested(elements: readonly unknown[], [size, ...inner]: readonly number[]): unknown {
  if (size === undefined) return elements[0];
  if (inner.length === 0) return elements;
  const length = elementCount(inner);
  return Array.from({ length: size }, (_, index) =>
    nested(elements.slice(index * length, (index + 1) * length), inner),
  );
}
