/** Numbers and booleans to raw elements, checked against the range of the datatype, in tight loops. */
import { showValue } from "../base/error-text.ts";
import { allowedValues, type FixedDatatype, integerRange, newElements, rawBytes } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import { fromHalf, toHalf } from "./half.ts";

type Rows = readonly ArrayLike<unknown>[];

export interface PackOptions {
  /** Start of every error message. */
  readonly place: string;
  /** Whether NaN and the infinities are refused in floats. JSON has none, so 1e999 must not become one. */
  readonly finite: boolean;
  /** Whether FP16 is taken, which the protocol has no JSON form for, but some servers do. Default: no. */
  readonly halves?: boolean;
}

/** The raw form of the `count` values of all rows. An unsuitable value is a ProtocolError with its index. */
export function packNumbers(
  datatype: FixedDatatype,
  rows: Rows,
  count: number,
  options: PackOptions,
): Uint8Array {
  switch (datatype) {
    case "FP32":
    case "FP64":
      return packFloats(datatype, rows, count, options);
    case "BOOL":
      return packBooleans(rows, count, options);
    case "FP16":
      if (options.halves === true) return packHalves(rows, count, options);
    // falls through
    case "BF16":
      throw new ProtocolError(
        `${options.place}: ${datatype} has no form in JSON; use the binary tensor data extension (binary_data_size)`,
      );
    case "INT64":
    case "UINT64":
      return packWideIntegers(datatype, rows, count, options);
    default:
      return packIntegers(datatype, rows, count, options);
  }
}

function packFloats(datatype: "FP32" | "FP64", rows: Rows, count: number, options: PackOptions): Uint8Array {
  const out = newElements(datatype, count);
  const isSingle = datatype === "FP32";
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = floatOf(row[index]);
      if (value === undefined) throw unsuitable(datatype, row[index], at, options);
      const rounded = isSingle ? Math.fround(value) : value;
      // After rounding: the usual text of the largest float, 3.4028235e38, is slightly above it.
      if (!Number.isFinite(rounded) && (options.finite || Number.isFinite(value)))
        throw unsuitable(datatype, value, at, options);
      out[at] = rounded;
    }
  }
  return rawBytes(out);
}

function packHalves(rows: Rows, count: number, options: PackOptions): Uint8Array {
  const out = newElements("FP16", count);
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = floatOf(row[index]);
      if (value === undefined) throw unsuitable("FP16", row[index], at, options);
      const bits = toHalf(value);
      if (!Number.isFinite(fromHalf(bits)) && (options.finite || Number.isFinite(value)))
        throw unsuitable("FP16", value, at, options);
      out[at] = bits;
    }
  }
  return rawBytes(out);
}

/** Some programs print 1e20 with all its digits, which are then a big integer. */
function floatOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "bigint" ? Number(value) : undefined;
}

function packBooleans(rows: Rows, count: number, options: PackOptions): Uint8Array {
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
  rows: Rows,
  count: number,
  options: PackOptions,
): Uint8Array {
  const [min, max] = integerRange(datatype) ?? [0, 0];
  const out = newElements(datatype, count);
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = row[index];
      if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
        throw unsuitable(datatype, value, at, options);
      out[at] = value;
    }
  }
  return rawBytes(out);
}

/** Apart from the others, whose loop would be slower with big integers in it. */
function packWideIntegers(
  datatype: "INT64" | "UINT64",
  rows: Rows,
  count: number,
  options: PackOptions,
): Uint8Array {
  const [min, max] = integerRange(datatype) ?? [0, 0];
  const isSigned = datatype === "INT64";
  const out = newElements(datatype, count);
  let at = 0;
  for (const row of rows) {
    for (let index = 0; index < row.length; index++, at++) {
      const value = row[index];
      if (typeof value === "bigint") {
        if ((isSigned ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) !== value)
          throw unsuitable(datatype, value, at, options);
        out[at] = value;
        continue;
      }
      // A number beyond 2^53, as of 1e17, was rounded, so nobody knows which one was meant.
      if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
        throw unsuitable(datatype, value, at, options);
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
  const isTooWide = datatype.endsWith("INT64") && Number.isInteger(value) && !Number.isSafeInteger(value);
  const hint = isTooWide ? "; beyond 2^53, print all digits, without exponent, or use binary data" : "";
  return new ProtocolError(
    `${options.place}: element ${index} is ${showValue(value)}; ${datatype} allows ${allowedValues(datatype)}${hint}`,
  );
}
