/** The raw form of BYTES tensors: each element is a 32-bit little-endian length and that many bytes. */
import { Buffer, isUtf8 } from "node:buffer";
import { showValue } from "../base/error-text.ts";
import { ProtocolError } from "./errors.ts";

const lengthBytes = 4;
/** Most elements of a BYTES tensor: each takes far more memory and time than the bytes that it may have. */
export const mostStrings = 2 ** 20;

/** Offsets of each element's length and of the end. ProtocolError unless `count` elements fill the data exactly. */
export function bytesOffsets(data: Uint8Array, count: number, place: string): Float64Array {
  // Before the offsets are allocated: a count that cannot be true must cost nothing.
  if (count > mostStrings)
    throw new ProtocolError(`${place} has ${count} BYTES elements; allowed: at most ${mostStrings}`);
  if (count * lengthBytes > data.length) {
    throw new ProtocolError(
      `${place}: ${data.length} bytes of data are too few for ${count} BYTES elements, each of 4 bytes or more`,
    );
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const offsets = new Float64Array(count + 1);
  let at = 0;
  for (let index = 0; index < count; index++) {
    offsets[index] = at;
    const left = data.length - at - lengthBytes;
    if (left < 0) {
      throw new ProtocolError(`${place}: the data ends inside the length of element ${index}`);
    }
    const length = view.getUint32(at, true);
    if (length > left) {
      throw new ProtocolError(`${place}: element ${index} says ${length} bytes; ${left} bytes are left`);
    }
    at += lengthBytes + length;
  }
  offsets[count] = at;
  if (at !== data.length) {
    throw new ProtocolError(
      `${place}: ${count} BYTES elements take ${at} bytes, but there are ${data.length} bytes of data`,
    );
  }
  return offsets;
}

/** The raw form of strings, as UTF-8. Throws a ProtocolError, starting with `place`, for a lone surrogate. */
export function bytesFromStrings(strings: readonly string[], place: string): Uint8Array {
  const lengths = strings.map((text, index) => {
    // With the u flag a surrogate matches only outside a pair.
    if (/\p{Surrogate}/u.test(text)) {
      throw new ProtocolError(
        `${place}: element ${index} is ${showValue(text)}; a lone surrogate is not Unicode text`,
      );
    }
    return Buffer.byteLength(text);
  });
  const data = Buffer.alloc(lengths.reduce((sum, length) => sum + lengthBytes + length, 0));
  let at = 0;
  for (const [index, text] of strings.entries()) {
    at = data.writeUInt32LE(lengths[index] ?? 0, at);
    at += data.write(text, at);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}

/** The elements as strings. Throws a ProtocolError, starting with `place`, for an element that is not UTF-8. */
export function stringsFromBytes(data: Uint8Array, count: number, place: string): string[] {
  const offsets = bytesOffsets(data, count, place);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  return Array.from({ length: count }, (_, index) => {
    const element = bytes.subarray((offsets[index] ?? 0) + lengthBytes, offsets[index + 1]);
    if (isUtf8(element)) return element.toString("utf8");
    throw new ProtocolError(`${place}: element ${index} is not UTF-8 text; take this tensor as binary data`);
  });
}

/** The elements as views of the data, without a copy. */
export function elementsOfBytes(data: Uint8Array, count: number, place: string): Uint8Array[] {
  const offsets = bytesOffsets(data, count, place);
  return Array.from({ length: count }, (_, index) =>
    data.subarray((offsets[index] ?? 0) + lengthBytes, offsets[index + 1]),
  );
}

/** The raw form of elements of any bytes. */
export function bytesOfElements(elements: readonly Uint8Array[]): Uint8Array {
  const data = new Uint8Array(elements.reduce((sum, { length }) => sum + lengthBytes + length, 0));
  const view = new DataView(data.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.length, true);
    data.set(element, at + lengthBytes);
    at += lengthBytes + element.length;
  }
  return data;
}
