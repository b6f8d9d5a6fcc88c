/** Tensor data between JSON and raw bytes. What one of them cannot state exactly is refused. */
import { bytesFromStrings, stringsFromBytes } from "./bytes-elements.ts";
import { allowedValues, type Datatype, rawView } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import { fromHalf } from "./half.ts";
import { packNumbers } from "./number-elements.ts";
import { showValue } from "../base/error-text.ts";
import { checkTensor, elementCount, maxElements, shapeText, type Tensor } from "./tensor.ts";

/** How strictly JSON data is read and printed. */
export interface JsonDialect {
  /**
   * What other servers do beyond the protocol: FP16 as numbers, and in what they send NaN, Infinity and -Infinity, and a
   * single element without an array. Default: no.
   */
  readonly isLenient?: boolean;
}

/**
 * Raw bytes of the JSON value `data`, which is nested like `shape` or flat and row-major. Anything else, and every value
 * outside the datatype, is a ProtocolError that starts with `place`. Memory is proportional to the values that are there,
 * whatever the shape claims.
 */
export function rawFromJson(
  datatype: Datatype,
  shape: readonly number[],
  data: unknown,
  place: string,
  { isLenient = false }: JsonDialect = {},
): Uint8Array {
  const count = elementCount(shape, maxElements, `${place}.shape`);
  const isBare = isLenient && count === 1 && data !== undefined && !Array.isArray(data);
  const rows = elementRows(shape, count, isBare ? [data] : data, place);
  if (datatype !== "BYTES")
    return packNumbers(datatype, rows, count, { place, finite: !isLenient, halves: isLenient });
  const strings = rows.flat().map((value, index) => {
    if (typeof value === "string") return value;
    throw new ProtocolError(
      `${place}: element ${index} is ${showValue(value)}; BYTES allows ${allowedValues("BYTES")} in JSON`,
    );
  });
  return bytesFromStrings(strings, place);
}

/** The arrays that hold the elements: the data itself if it is flat, the innermost arrays if it is nested. */
function elementRows(shape: readonly number[], count: number, data: unknown, place: string): unknown[][] {
  if (!Array.isArray(data)) throw new ProtocolError(`${place}.data is ${showValue(data)}; allowed: an array`);
  if (!Array.isArray(data[0])) {
    if (data.length === count) return [data];
    throw new ProtocolError(
      `${place}.data has ${data.length} elements; shape ${shapeText(shape)} takes ${count}, flat or nested`,
    );
  }
  // Level by level instead of recursively, so that deep nesting cannot exhaust the stack.
  let level: unknown[][] = [data];
  for (const [axis, size] of shape.entries()) {
    for (const array of level) {
      if (array.length !== size) {
        throw new ProtocolError(
          `${place}.data has an array of ${array.length} at nesting depth ${axis + 1}; ` +
            `shape ${shapeText(shape)} takes ${size} there`,
        );
      }
    }
    if (axis === shape.length - 1) return level;
    level = level.flat().map((value) => {
      if (Array.isArray(value)) return value;
      throw new ProtocolError(
        `${place}.data holds ${showValue(value)} at nesting depth ${axis + 1}; shape ${shapeText(shape)} takes arrays`,
      );
    });
  }
  throw new ProtocolError(`${place}.data is nested; shape [] takes one flat element`);
}

/**
 * The data as a flat JSON array. FP16 (unless `isLenient`), BF16, NaN, infinities and BYTES that are not UTF-8 have none:
 * ProtocolError.
 */
export function jsonFromRaw(tensor: Tensor, { isLenient = false }: JsonDialect = {}): string {
  const { datatype, data } = tensor;
  const place = `tensor ${showValue(tensor.name)}`;
  checkTensor(tensor, place);
  if (datatype === "FP16" && isLenient)
    return `[${floatText(Array.from(rawView(datatype, data), fromHalf), place)}]`;
  if (datatype === "FP16" || datatype === "BF16") {
    throw new ProtocolError(
      `${place}: ${datatype} has no JSON form; use the binary tensor data extension (binary_data or binary_data_output)`,
    );
  }
  if (datatype === "BYTES") return JSON.stringify(stringsFromBytes(data, elementCount(tensor.shape), place));
  if (datatype === "BOOL") return `[${Array.from(data, (byte) => byte === 1).join(",")}]`;
  if (datatype === "FP32" || datatype === "FP64") return `[${floatText(rawView(datatype, data), place)}]`;
  return `[${rawView(datatype, data).join(",")}]`;
}

function floatText(values: Float32Array | Float64Array | number[], place: string): string {
  let hasNegativeZero = false;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    if (!Number.isFinite(value)) {
      throw new ProtocolError(
        `${place}: element ${index} is ${value}, which JSON cannot state; use the binary tensor data extension (binary_data or binary_data_output)`,
      );
    }
    if (value === 0 && Object.is(value, -0)) hasNegativeZero = true;
  }
  // join() prints -0 as 0, so an array with a negative zero takes a slower path.
  return hasNegativeZero
    ? Array.from(values, (value) => (Object.is(value, -0) ? "-0" : value)).join(",")
    : values.join(",");
}
