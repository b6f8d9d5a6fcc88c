/**
 * Triton's classification extension: an output as its best classes instead of its numbers.
 * https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_classification.html
 */
import { showValue } from "../../base/error-text.ts";
import { type FixedDatatype, rawView } from "../../protocol/datatype.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { RequestedOutput } from "../../protocol/message.ts";
import { elementCount, shapeText, type Tensor, tensorFromStrings } from "../../protocol/tensor.ts";

/** How many classes are asked for; undefined when the numbers are. Throws a ProtocolError for no positive integer. */
export function classesWanted({ name, parameters }: RequestedOutput): number | undefined {
  const classes = parameters?.["classification"];
  if (classes === undefined) return undefined;
  if (typeof classes === "number" && Number.isSafeInteger(classes) && classes >= 1) return classes;
  throw new ProtocolError(
    `classification of output ${showValue(name)} is ${showValue(classes)}; allowed: integers from 1`,
  );
}

export interface ClassifyOptions {
  /** Names of the classes in their order; those without one are told by their index. */
  readonly labels?: readonly string[] | undefined;
  /** Whether the first dimension of an output that has no other is its rows. Default: it is the classes. */
  readonly hasRows?: boolean;
}

/**
 * The best classes of each row of an output, highest first, as `value:index` or `value:index:label`: BYTES of shape
 * [rows, classes], or [classes] for an output without rows. Of equal values the first comes first, and NaN comes last.
 * With fewer classes than wanted, all of them. Throws a ProtocolError when the elements are no numbers.
 *
 * @example
 * classify(output, 2, { labels: ["cat", "dog"] }); // of [[0.1, 0.7, 0.2]]: [["0.700000:1:dog", "0.200000:2"]]
 */
export function classify(output: Tensor, wanted: number, options: ClassifyOptions = {}): Tensor {
  const { labels = [], hasRows = false } = options;
  const { name, datatype, shape, data } = output;
  if (!isNumeric(datatype)) {
    throw new ProtocolError(
      `output ${showValue(name)} is ${datatype}${shapeText(shape)}; classification takes integers, FP32 and FP64`,
    );
  }
  const values = rawView(datatype, data) as ArrayLike<number | bigint>;
  const rows = shape.length >= 2 || hasRows ? shape.slice(0, 1) : [];
  const perRow = elementCount(shape.slice(rows.length));
  const classes = Math.min(wanted, perRow);
  const texts = Array.from({ length: elementCount(rows) }, (_, row) =>
    best(values, row * perRow, perRow, classes).map((index) => {
      const label = labels[index];
      const text = `${valueText(values[row * perRow + index] ?? 0, datatype)}:${index}`;
      return label === undefined ? text : `${text}:${label}`;
    }),
  );
  return tensorFromStrings(name, [...rows, classes], texts.flat());
}

function isNumeric(datatype: Tensor["datatype"]): datatype is FixedDatatype {
  return /^(U?INT|FP32|FP64)/.test(datatype);
}

/** The places, from `start` on, of the `count` highest of `length` values. */
function best(values: ArrayLike<number | bigint>, start: number, length: number, count: number): number[] {
  const places = Array.from({ length }, (_, index) => index);
  return places.sort((a, b) => descending(values[start + a], values[start + b])).slice(0, count);
}

function descending(a: number | bigint = 0, b: number | bigint = 0): number {
  if (a > b) return -1;
  if (a < b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

/** As C prints it: integers with %d, floats with %f. */
function valueText(value: number | bigint, datatype: FixedDatatype): string {
  if (typeof value === "bigint" || !datatype.startsWith("FP")) return String(value);
  if (Number.isNaN(value)) return "nan";
  const size = Math.abs(value);
  return (value < 0 || Object.is(value, -0) ? "-" : "") + (size === Infinity ? "inf" : sixDecimals(size));
}

function sixDecimals(size: number): string {
  // Just between two texts, of which C takes the even one and toFixed the larger.
  if ((size * 128) % 2 === 1) {
    const below = (BigInt(size * 128) * 15_625n) / 2n;
    const even = below + (below % 2n);
    return `${even / 1_000_000n}.${String(even % 1_000_000n).padStart(6, "0")}`;
  }
  // From there on toFixed prints an exponent, and numbers have no fraction.
  return size < 1e21 ? size.toFixed(6) : `${BigInt(size)}.000000`;
}
