/** One row of a tensor as plain JSON, for people with curl and for lists of records. */
import { Buffer, isUtf8 } from "node:buffer";
import { elementsOfBytes } from "../../protocol/bytes-elements.ts";
import { elementCount, type Tensor, tensorToNumbers } from "../../protocol/tensor.ts";

/** The element, or nested lists of them when the row has dimensions; bytes that are not text in base64. */
export function jsonOf({ tensor, content }: { readonly tensor: Tensor; readonly content?: string }): unknown {
  const { datatype, data, shape, name } = tensor;
  const elements: unknown[] =
    datatype === "BYTES"
      ? elementsOfBytes(data, elementCount(shape), name).map((each) => textOf(each, content))
      : Array.from(tensorToNumbers(tensor));
  return nested(elements, shape.slice(1));
}

function textOf(element: Uint8Array, content: string | undefined): unknown {
  const bytes = Buffer.from(element.buffer, element.byteOffset, element.length);
  if (!isUtf8(bytes)) return bytes.toString("base64");
  return content === "json" ? JSON.parse(bytes.toString("utf8")) : bytes.toString("utf8");
}

function nested(elements: unknown[], [size, ...inner]: readonly number[]): unknown {
  if (size === undefined) return elements[0];
  const length = elementCount(inner);
  return Array.from({ length: size }, (_, index) =>
    nested(elements.slice(index * length, (index + 1) * length), inner),
  );
}
