/** How much two sets of tensors differ, such as the outputs of a request that ran alone and in company. */
import { Buffer } from "node:buffer";
import { rawView } from "./datatype.ts";
import { shapeText, type Tensor } from "./tensor.ts";

export interface TensorDifference {
  /**
   * The largest difference of two elements, as a part of the largest magnitude in the expected tensor; or, when that is
   * more, a twentieth of how much one of its few columns differs as a whole, because a score beside coordinates is small.
   * 0 for equal tensors; Infinity when they cannot be compared, or differ in what is no floating-point number.
   */
  readonly difference: number;
  /** Which output differs most, and how; empty when nothing differs. */
  readonly where: string;
}

/** Columns are looked at one by one where there are at most so many: those of features are too many, and often nearly 0. */
const mostColumns = 32;
/** A column of fewer numbers may be near 0 as a whole. */
const leastOfColumn = 4;
/** A column may differ by this many times as much as the tensor as a whole. */
const columnsWeight = 20;
/** A difference up to this part of the largest magnitude is rounding, even in a column that is nearly 0. */
const rounding = 1e-5;

const equal: TensorDifference = { difference: 0, where: "" };

/**
 * @example
 * tensorDifference([fp32("y", [2], [1, 4])], [fp32("y", [2], [1, 4.004])]).difference; // about 0.001
 */
export function tensorDifference(expected: readonly Tensor[], actual: readonly Tensor[]): TensorDifference {
  let most = equal;
  for (const one of expected) {
    const other = actual.find(({ name }) => name === one.name);
    const found = other === undefined ? differs(one, "is missing") : ofTensors(one, other);
    if (found.difference > most.difference) most = found;
  }
  return most;
}

function ofTensors(expected: Tensor, actual: Tensor): TensorDifference {
  const [a, b] = [expected, actual].map(({ datatype, shape }) => `${datatype}${shapeText(shape)}`);
  if (a !== b) return differs(expected, `is ${a} alone and ${b} together`);
  const { datatype } = expected;
  if (sameBytes(expected.data, actual.data)) return equal;
  if (datatype === "FP32" || datatype === "FP64")
    return ofNumbers(expected, rawView(datatype, expected.data), rawView(datatype, actual.data));
  if (datatype === "FP16")
    return ofNumbers(
      expected,
      halves(rawView(datatype, expected.data)),
      halves(rawView(datatype, actual.data)),
    );
  return differs(expected, "has other values");
}

function ofNumbers(tensor: Tensor, expected: ArrayLike<number>, actual: ArrayLike<number>): TensorDifference {
  let largest = 0;
  let magnitude = 0;
  for (let index = 0; index < expected.length; index++) {
    const [one, other] = [expected[index] as number, actual[index] as number];
    if (Object.is(one, other) || one === other) {
      if (Math.abs(one) < Infinity) magnitude = Math.max(magnitude, Math.abs(one));
      continue;
    }
    if (!Number.isFinite(one) || !Number.isFinite(other)) return differs(tensor, `has ${other} for ${one}`);
    magnitude = Math.max(magnitude, Math.abs(one));
    largest = Math.max(largest, Math.abs(one - other));
  }
  if (largest === 0) return equal;
  const whole = magnitude === 0 ? Infinity : largest / magnitude;
  const column = columnDifference(tensor.shape, expected, actual, magnitude);
  if (whole >= column.share / columnsWeight)
    return { difference: whole, where: `output ${tensor.name} differs by ${percent(whole)}` };
  const how =
    column.share === Infinity ? "is 0 alone and not together" : `differs by ${percent(column.share)}`;
  const where = `column ${column.index} of output ${tensor.name} ${how}`;
  return { difference: column.share / columnsWeight, where };
}

/** How much the column that differs most does so: the sum of its differences over that of its magnitudes. */
function columnDifference(
  shape: readonly number[],
  expected: ArrayLike<number>,
  actual: ArrayLike<number>,
  magnitude: number,
): { readonly index: number; readonly share: number } {
  const columns = shape.length < 2 ? Infinity : (shape.at(-1) as number);
  let most = { index: 0, share: 0 };
  if (columns > mostColumns || expected.length < columns * leastOfColumn) return most;
  for (let index = 0; index < columns; index++) {
    let [off, sum, largest] = [0, 0, 0];
    for (let at = index; at < expected.length; at += columns) {
      const [one, other] = [expected[at] as number, actual[at] as number];
      if (!Number.isFinite(one)) continue;
      off += Math.abs(one - other);
      sum += Math.abs(one);
      largest = Math.max(largest, Math.abs(one - other));
    }
    if (largest > rounding * magnitude && off > most.share * sum) most = { index, share: off / sum };
  }
  return most;
}

function percent(part: number): string {
  return `${(100 * part).toPrecision(2)} %`;
}

function halves(bits: Uint16Array): Float64Array {
  return Float64Array.from(bits, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
    return sign * (1 + fraction / 1_024) * 2 ** (exponent - 15);
  });
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.from(one.buffer, one.byteOffset, one.length).equals(other);
}

function differs(tensor: Tensor, how: string): TensorDifference {
  return { difference: Infinity, where: `output ${tensor.name} ${how}` };
}
