/** The tensor that all other files pass around. Its data is always raw, so batches are joined without a look at it. */
import { Buffer } from "node:buffer";
import { showValue } from "../base/error-text.ts";
import { SideField } from "../base/memory/side-field.ts";
import { bytesFromStrings, bytesOffsets, stringsFromBytes } from "./bytes-elements.ts";
import { type Datatype, elementBytes, rawBytes, rawView } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import { packNumbers } from "./number-elements.ts";

/** Numbers are finite; an integer that a number cannot state is a bigint. */
export type ParameterValue = string | number | boolean | bigint;
/** The name/value pairs that requests, tensors and responses carry. */
export type Parameters = Record<string, ParameterValue>;

/** For example `{ name: "x", datatype: "FP32", shape: [2, 3], data: new Uint8Array(24) }`: two rows of three. */
export interface Tensor {
  name: string;
  datatype: Datatype;
  /** Dimensions, outermost first; empty for a single element. */
  shape: readonly number[];
  /** Little-endian, row-major, no padding. BOOL is a byte of 0 or 1; each BYTES element has a 32-bit length before it. */
  data: Uint8Array;
  parameters?: Parameters;
}

/** The pieces of tensors whose data is not in one piece. */
const piecesOf = new SideField<Tensor, readonly Uint8Array[]>();

/**
 * A tensor whose data is in pieces, such as those in which a body came from a socket: they are put together when somebody
 * reads `data`, and not when it is only sent on (`dataPieces`).
 *
 * @param pieces whose bytes must stay as they are
 */
export function pieceTensor(about: Omit<Tensor, "data">, pieces: readonly Uint8Array[]): Tensor {
  const [only = new Uint8Array()] = pieces;
  const { name, datatype, shape, parameters } = about;
  // Each field is named, because a spread that more fields follow takes microseconds.
  if (pieces.length < 2)
    return parameters === undefined
      ? { name, datatype, shape, data: only }
      : { name, datatype, shape, data: only, parameters };
  let whole: Uint8Array | undefined;
  const tensor: Tensor = {
    ...about,
    get data() {
      return (whole ??= rawBytes(Buffer.concat(pieces)));
    },
  };
  piecesOf.set(tensor, pieces);
  return tensor;
}

/** The data of a tensor in the pieces in which it is in memory. */
export function dataPieces(tensor: Tensor): readonly Uint8Array[] {
  return piecesOf.get(tensor) ?? [tensor.data];
}

/** How many bytes of data a tensor has, without putting them together. */
export function dataBytes(tensor: Tensor): number {
  const pieces = piecesOf.get(tensor);
  return pieces === undefined ? tensor.data.length : pieces.reduce((sum, { length }) => sum + length, 0);
}

/** The most elements of a tensor: 2^31 - 1, which is 8 GiB of FP32. */
export const maxElements = 2 ** 31 - 1;
/** The most dimensions of a shape. */
export const maxRank = 32;

/**
 * Product of the dimensions; 1 for the empty shape. ProtocolError when a dimension or their number is out of range, or the
 * product without zeros is above `limit`.
 */
export function elementCount(shape: readonly number[], limit = maxElements, place = "shape"): number {
  if (shape.length > maxRank)
    throw new ProtocolError(`${place} has ${shape.length} dimensions; allowed: at most ${maxRank}`);
  let product = 1;
  let isEmpty = false;
  for (let index = 0; index < shape.length; index++) {
    const dimension = shape[index] as number;
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw new ProtocolError(
        `${place}[${index}] is ${showValue(dimension)}; allowed: integers from 0 to ${limit}`,
      );
    }
    if (dimension === 0) isEmpty = true;
    else product *= dimension;
    if (product > limit)
      throw new ProtocolError(
        `${place} ${shapeText(shape)} is too large; allowed: at most ${limit} elements`,
      );
  }
  return isEmpty ? 0 : product;
}

/** The shape in brackets, as error messages print it: `[1,3,48,320]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(",")}]`;
}

/**
 * Throws a ProtocolError, starting with `place`, unless the data is exactly what shape and datatype ask for.
 *
 * @param given where the tensor stands, or what tells it. Default: its name
 */
export function checkTensor(tensor: Tensor, given?: string | (() => string)): void {
  if (isOfItsSize(tensor)) return;
  const place = typeof given === "function" ? given() : (given ?? placeOf(tensor.name));
  const { datatype, shape } = tensor;
  const count = elementCount(shape, maxElements, `${place}.shape`);
  if (datatype === "BYTES") {
    bytesOffsets(tensor.data, count, place);
    return;
  }
  const [bytes, expected] = [dataBytes(tensor), count * elementBytes(datatype)];
  if (bytes !== expected) {
    throw new ProtocolError(
      `${place} has ${bytes} bytes of data; ${datatype}${shapeText(shape)} takes ${expected} bytes`,
    );
  }
  if (datatype !== "BOOL") return;
  const { data } = tensor;
  const index = firstAboveOne(data);
  if (index >= 0)
    throw new ProtocolError(`${place}: element ${index} is ${data[index]}; a BOOL byte is 0 or 1`);
}

/** Whether nothing else needs a look, which mostly is so: no words are made for an error that does not come. */
function isOfItsSize(tensor: Tensor): boolean {
  const { datatype, shape } = tensor;
  if (datatype === "BYTES" || datatype === "BOOL" || shape.length > maxRank) return false;
  let count = 1;
  for (const dimension of shape) {
    if (!(Number.isSafeInteger(dimension) && dimension > 0)) return false;
    count *= dimension;
    if (count > maxElements) return false;
  }
  return dataBytes(tensor) === count * elementBytes(datatype);
}

/** In a loop, because a function for each byte takes longer than everything else about a large tensor. */
function firstAboveOne(data: Uint8Array): number {
  for (let index = 0; index < data.length; index++) if ((data[index] as number) > 1) return index;
  return -1;
}

/**
 * A tensor of numbers (0 and 1 for BOOL), copied. FP32 is rounded to nearest; NaN and the infinities are kept. Throws a
 * ProtocolError for values outside the datatype, 64-bit integers beyond 2^53, a wrong count, FP16, BF16 and BYTES.
 */
export function tensorFromNumbers(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  values: ArrayLike<number>,
): Tensor {
  const place = placeOf(name);
  if (datatype === "BYTES") throw new ProtocolError(`${place}: BYTES elements are not numbers`);
  checkCount(shape, values.length, place);
  const data =
    datatype === "FP32" && values instanceof Float32Array
      ? new Uint8Array(rawBytes(values))
      : packNumbers(datatype, [values], values.length, { place, finite: false });
  return { name, datatype, shape, data };
}

/** The elements as numbers, for reading only. ProtocolError for BYTES, FP16, BF16 and 64-bit integers beyond 2^53. */
export function tensorToNumbers(tensor: Tensor): ArrayLike<number> & Iterable<number> {
  const { datatype, data } = tensor;
  const place = placeOf(tensor.name);
  checkTensor(tensor, place);
  if (datatype === "BYTES" || datatype === "FP16" || datatype === "BF16")
    throw new ProtocolError(`${place}: ${datatype} elements cannot be read as numbers; read the raw data`);
  if (datatype !== "INT64" && datatype !== "UINT64") return rawView(datatype, data);
  return Array.from(rawView(datatype, data), (value, index) => {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw new ProtocolError(`${place}: element ${index} is ${value}, beyond 2^53; read the raw data`);
  });
}

/** A BYTES tensor of UTF-8 strings. Throws a ProtocolError for a wrong count or a lone surrogate. */
export function tensorFromStrings(name: string, shape: readonly number[], values: readonly string[]): Tensor {
  const place = placeOf(name);
  checkCount(shape, values.length, place);
  return { name, datatype: "BYTES", shape, data: bytesFromStrings(values, place) };
}

/** The elements of a BYTES tensor as strings, row-major. Throws a ProtocolError for another datatype or invalid UTF-8. */
export function tensorToStrings({ name, datatype, shape, data }: Tensor): string[] {
  const place = placeOf(name);
  if (datatype !== "BYTES") throw new ProtocolError(`${place} is ${datatype}; only BYTES are strings`);
  return stringsFromBytes(data, elementCount(shape, maxElements, `${place}.shape`), place);
}

function checkCount(shape: readonly number[], values: number, place: string): void {
  const count = elementCount(shape, maxElements, `${place}.shape`);
  if (count === values) return;
  throw new ProtocolError(`${place} has ${values} values; shape ${shapeText(shape)} takes ${count}`);
}

function placeOf(name: string): string {
  return `tensor ${showValue(name)}`;
}
