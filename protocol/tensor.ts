// The tensor all other files pass around: a name, a datatype, a shape and raw bytes. Apart from the JSON and binary
// wire forms, because inside Spillway data is raw always, so batches are joined and cut without a look at elements.

import { bytesFromStrings, bytesOffsets, stringsFromBytes } from "./bytes-elements.ts";
import { type Datatype, elementBytes } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import { packNumbers } from "./number-elements.ts";
import type { Parameters } from "./parameters.ts";
import { rawBytes, rawView } from "./raw-view.ts";
import { showValue } from "../base/error-text.ts";

export interface Tensor {
  name: string;
  datatype: Datatype;
  /** Dimensions, outermost first; empty for a single element. */
  shape: readonly number[];
  /** Little-endian, row-major, no padding; BOOL is a byte of 0 or 1, BYTES a 32-bit length and the bytes, each. */
  data: Uint8Array;
  parameters?: Parameters;
}

/** The most elements a tensor may have: 2^31 - 1, which is 8 GiB of FP32. */
export const MAX_ELEMENTS = 2 ** 31 - 1;
/** The most dimensions a shape may have. */
export const MAX_RANK = 32;

/**
 * Product of the dimensions; 1 for the empty shape. Throws a ProtocolError, starting with `place`, for a dimension that
 * is not an integer of 0 or more, for more than MAX_RANK dimensions, and for a product (zeros left out, so that no
 * dimension is beyond reason either) above `limit`.
 */
export function elementCount(shape: readonly number[], limit = MAX_ELEMENTS, place = "shape"): number {
  if (shape.length > MAX_RANK) {
    throw new ProtocolError(`${place} has ${shape.length} dimensions; at most ${MAX_RANK} are allowed`);
  }
  let product = 1;
  let empty = false;
  for (const [index, dimension] of shape.entries()) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw new ProtocolError(
        `${place}[${index}] is ${showValue(dimension)}; allowed are integers from 0 to ${limit}`,
      );
    }
    if (dimension === 0) empty = true;
    else product *= dimension;
    if (product > limit) {
      throw new ProtocolError(
        `${place} ${shapeText(shape)} has more than ${limit} elements, the most allowed`,
      );
    }
  }
  return empty ? 0 : product;
}

/** The shape in brackets, as error messages print it: `[1,3,48,320]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(",")}]`;
}

/** Throws a ProtocolError, starting with `place`, unless the data is exactly what shape and datatype ask for. */
export function checkTensor(tensor: Tensor, place = placeOf(tensor)): void {
  const { datatype, shape, data } = tensor;
  const count = elementCount(shape, MAX_ELEMENTS, `${place}.shape`);
  if (datatype === "BYTES") {
    bytesOffsets(data, count, place);
    return;
  }
  const expected = count * elementBytes(datatype);
  if (data.length !== expected) {
    throw new ProtocolError(
      `${place} has ${data.length} bytes of data; ${datatype}${shapeText(shape)} takes ${expected} bytes`,
    );
  }
  if (datatype === "BOOL") {
    const index = data.findIndex((byte) => byte > 1);
    if (index >= 0)
      throw new ProtocolError(`${place}: element ${index} is ${data[index]}; a BOOL byte is 0 or 1`);
  }
}

/**
 * A tensor of numbers (0 and 1 for BOOL) in a copy. FP32 is rounded to nearest; NaN and the infinities are kept. Values
 * outside the datatype, 64-bit integers beyond 2^53, a wrong count, and FP16 or BYTES are a ProtocolError.
 */
export function tensorFromNumbers(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  values: ArrayLike<number>,
): Tensor {
  const place = `tensor ${showValue(name)}`;
  if (datatype === "BYTES") throw new ProtocolError(`${place}: BYTES elements are not numbers`);
  checkCount(shape, values.length, place);
  const data =
    datatype === "FP32" && values instanceof Float32Array
      ? new Uint8Array(rawBytes(values))
      : packNumbers(datatype, [values], values.length, { place, finite: false });
  return { name, datatype, shape, data };
}

/**
 * The elements as numbers, row-major; BOOL gives 0 and 1. May share memory with the tensor: read only. BYTES, FP16 and
 * 64-bit integers beyond 2^53 are a ProtocolError.
 */
export function tensorToNumbers(tensor: Tensor): ArrayLike<number> & Iterable<number> {
  const { datatype, data } = tensor;
  const place = placeOf(tensor);
  checkTensor(tensor, place);
  if (datatype === "BYTES" || datatype === "FP16") {
    throw new ProtocolError(`${place}: ${datatype} elements cannot be read as numbers; read the raw data`);
  }
  if (datatype !== "INT64" && datatype !== "UINT64") return rawView(datatype, data);
  return Array.from(rawView(datatype, data), (value, index) => {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw new ProtocolError(`${place}: element ${index} is ${value}, beyond 2^53; read the raw data`);
  });
}

/** A BYTES tensor of UTF-8 strings. A wrong count or a lone surrogate is a ProtocolError. */
export function tensorFromStrings(name: string, shape: readonly number[], values: readonly string[]): Tensor {
  const place = `tensor ${showValue(name)}`;
  checkCount(shape, values.length, place);
  return { name, datatype: "BYTES", shape, data: bytesFromStrings(values, place) };
}

/** The elements of a BYTES tensor as strings, row-major. Another datatype or invalid UTF-8 is a ProtocolError. */
export function tensorToStrings(tensor: Tensor): string[] {
  const place = placeOf(tensor);
  if (tensor.datatype !== "BYTES")
    throw new ProtocolError(`${place} is ${tensor.datatype}; only BYTES are strings`);
  return stringsFromBytes(tensor.data, elementCount(tensor.shape, MAX_ELEMENTS, `${place}.shape`), place);
}

function checkCount(shape: readonly number[], values: number, place: string): void {
  const count = elementCount(shape, MAX_ELEMENTS, `${place}.shape`);
  if (count !== values) {
    throw new ProtocolError(`${place} has ${values} values; shape ${shapeText(shape)} takes ${count}`);
  }
}

function placeOf(tensor: Tensor): string {
  return `tensor ${showValue(tensor.name)}`;
}
