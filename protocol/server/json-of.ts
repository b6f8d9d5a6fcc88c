/** One row of a tensor as plain JSON, for people with curl and for lists of records. */
import { Buffer, isUtf8 } from "node:buffer";
import { elementsOfBytes } from "../bytes-elements.ts";
import { numbersOf } from "../tensor-numbers.ts";
import { elementCount, type Tensor, tensorToNumbers } from "../tensor.ts";

/**
 * What bytes are taken for: `json` where they are that, `text` as they are. Without a word, an element that is a whole object
 * or list in JSON is taken for it.
 */
type Content = string | undefined;

/** The element, or nested lists of them when the row has dimensions; bytes that are not text in base64. */
export function jsonOf({
  tensor,
  content,
}: {
  readonly tensor: Tensor;
  readonly content?: Content;
}): unknown {
  const { datatype, data, shape, name } = tensor;
  const elements: unknown[] =
    datatype === "BYTES"
      ? elementsOfBytes(data, elementCount(shape), name).map((each) => textOf(each, content))
      : Array.from(datatype === "FP16" ? numbersOf(tensor) : tensorToNumbers(tensor));
  return nested(elements, shape.slice(1));
}

function textOf(element: Uint8Array, content: Content): unknown {
  const bytes = Buffer.from(element.buffer, element.byteOffset, element.length);
  if (!isUtf8(bytes)) return bytes.toString("base64");
  const text = bytes.toString("utf8");
  const isJson = content === "json" || (content === undefined && /^\s*[[{]/.test(text));
  return isJson ? parsed(text) : text;
}

/** A handler may state JSON, and answer something else. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function nested(elements: unknown[], [size, ...inner]: readonly number[]): unknown {
  if (size === undefined) return elements[0];
  const length = elementCount(inner);
  return Array.from({ length: size }, (_, index) =>
    nested(elements.slice(index * length, (index + 1) * length), inner),
  );
}
