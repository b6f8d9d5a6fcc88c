// Numbers and booleans to raw elements, with the range of the datatype checked for each. Apart, because both JSON data
// and callers with plain arrays need the same checks, in loops tight enough for megabytes of floats.

import { allowedValues, integerRange } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import { type FixedDatatype, newElements, rawBytes } from "./raw-view.ts";
import { showValue } from "../base/error-text.ts";

export interface PackOptions {
  /** Start of every error message. */
  readonly place: string;
  /** Whether NaN and the infinities are refused in FP32 and FP64. JSON has none, so 1e999 must not become one. */
  readonly finite: boolean;
}

/**
 * The raw form of the values of all rows, one after the other; together the rows must have `count` values. FP16 is
 * refused: it has no agreed form in JSON, nor in Node 20. An unsuitable value is a ProtocolError with its row-major index.
 */
export function packNumbers(
  datatype: FixedDatatype,
  rows: readonly ArrayLike<unknown>[],
  count: number,
  options: PackOptions,
): Uint8Array {
  if (datatype === "FP32") return packFloat32(rows, count, options);
  if (datatype === "FP64") return packFloat64(rows, count, options);
  if (datatype === "BOOL") return packBooleans(rows, count, options);
  if (datatype === "INT64" || datatype === "UINT64") return packWideIntegers(datatype, rows, count, options);
  if (datatype !== "FP16") return packIntegers(datatype, rows, count, options);
  throw new ProtocolError(
    `${options.place}: FP16 elements cannot be given as numbers; use the binary tensor data extension`,
  );
}

function packFloat32(rows: readonly ArrayLike<unknown>[], count: number, options: PackOptions): Uint8Array {
  const out = newElements("FP32", count);
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = row[index];
      if (typeof value !== "number") throw unsuitable("FP32", value, at, options);
      const rounded = Math.fround(value);
      // After rounding: the usual text of the largest float, 3.4028235e38, lies a little above it.
      if (!Number.isFinite(rounded) && (options.finite || Number.isFinite(value))) {
        throw unsuitable("FP32", value, at, options);
      }
      out[at] = rounded;
    }
  }
  return rawBytes(out);
}

function packFloat64(rows: readonly ArrayLike<unknown>[], count: number, options: PackOptions): Uint8Array {
  const out = newElements("FP64", count);
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = row[index];
      if (typeof value !== "number" || (options.finite && !Number.isFinite(value))) {
        throw unsuitable("FP64", value, at, options);
      }
      out[at] = value;
    }
  }
  return rawBytes(out);
}

function packBooleans(rows: readonly ArrayLike<unknown>[], count: number, options: PackOptions): Uint8Array {
  const out = newElements("BOOL", count);
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = row[index];
      if (value === true || value === 1) out[at] = 1;
      else if (value !== false && value !== 0) throw unsuitable("BOOL", value, at, options);
    }
  }
  return out;
}

function packIntegers(
  datatype: "INT8" | "INT16" | "INT32" | "UINT8" | "UINT16" | "UINT32",
  rows: readonly ArrayLike<unknown>[],
  count: number,
  options: PackOptions,
): Uint8Array {
  const [min, max] = integerRange(datatype) ?? [0, 0];
  const out = newElements(datatype, count);
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = row[index];
      if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
        throw unsuitable(datatype, value, at, options);
      }
      out[at] = value;
    }
  }
  return rawBytes(out);
}

function packWideIntegers(
  datatype: "INT64" | "UINT64",
  rows: readonly ArrayLike<unknown>[],
  count: number,
  options: PackOptions,
): Uint8Array {
  const min = datatype === "INT64" ? Number.MIN_SAFE_INTEGER : 0;
  const out = newElements(datatype, count);
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = row[index];
      // A larger integer was rounded when it was parsed; nobody can tell any more which one was meant.
      if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min) {
        throw unsuitable(datatype, value, at, options);
      }
      out[at] = BigInt(value);
    }
  }
  return rawBytes(out);
}

function unsuitable(
  datatype: FixedDatatype,
  value: unknown,
  index: number,
  options: PackOptions,
): ProtocolError {
  const tooWide =
    typeof value === "number" &&
    Number.isInteger(value) &&
    !Number.isSafeInteger(value) &&
    datatype.endsWith("INT64");
  const hint = tooWide ? "; numbers beyond 2^53 are not exact: use binary data for this tensor" : "";
  return new ProtocolError(
    `${options.place}: element ${index} is ${showValue(value)}; ${datatype} allows ${allowedValues(datatype)}${hint}`,
  );
}
