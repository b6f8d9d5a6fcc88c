/** Requests that are made up to try a model: random values of the shapes that are known to suit it, or of small ones. */
import type { Random } from "../../base/random.ts";
import { bytesOfElements } from "../../protocol/bytes-elements.ts";
import { type Datatype, newElements, rawBytes } from "../../protocol/datatype.ts";
import type { ModelMetadata } from "../../protocol/message.ts";
import { elementCount, type Tensor } from "../../protocol/tensor.ts";
import type { DimensionNames } from "./row-structure.ts";

/** How requests of one kind are made: by input its shape without the first dimension, and the kind of values. */
export interface RequestForm {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** `wide`: numbers of both signs, integers up to 9; `narrow`: numbers from 0 to 1, integers 0 and 1. */
  readonly values: "wide" | "narrow";
}

/** Sizes that open dimensions are tried with, by whether the model takes pictures, and values with them. */
const tried = {
  plain: [
    [16, "wide"],
    [16, "narrow"],
    [64, "narrow"],
    [4_096, "narrow"],
  ],
  pictures: [
    [64, "wide"],
    [224, "narrow"],
    [32, "narrow"],
  ],
} as const;

/**
 * What to try, the likeliest to work first.
 *
 * @param known for each run that is known to work: the shape of every input by its name
 */
export function requestForms(
  { inputs }: ModelMetadata,
  dimensions: DimensionNames | undefined,
  known: readonly Readonly<Record<string, readonly number[]>>[],
): RequestForm[] {
  const given = known
    .filter((shapes) => inputs.every(({ name, shape }) => shapes[name]?.length === shape.length))
    .map((shapes) => new Map(inputs.map(({ name }) => [name, (shapes[name] ?? []).slice(1)] as const)));
  const values = ["wide", "narrow"] as const;
  if (given.length > 0) return given.flatMap((shapes) => values.map((each) => ({ shapes, values: each })));
  const isPictures = inputs.some(({ shape }) => shape.length >= 4);
  const isOpen = inputs.some(({ shape }) => shape.slice(1).includes(-1));
  const ways = tried[isPictures ? "pictures" : "plain"];
  const sizes = isOpen ? ways : values.map((each) => [1, each] as const);
  return sizes.map(([size, each]) => ({
    shapes: new Map(
      inputs.map(({ name, shape }, index) => [name, closed(shape, dimensions?.inputs[index], size)]),
    ),
    values: each,
  }));
}

/** Small counts of channels come with open pictures now and then. */
function closed(shape: readonly number[], names: readonly string[] | undefined, size: number): number[] {
  const isChannel = (axis: number): boolean =>
    shape.length === 4 && axis === 1 && !/[hw]/i.test(names?.[1] ?? "");
  return shape
    .map((dimension, axis) => (dimension === -1 ? (isChannel(axis) ? 3 : size) : dimension))
    .slice(1);
}

/** The inputs of a request of that many rows. */
export function madeUpInputs(
  { inputs }: ModelMetadata,
  { shapes, values }: RequestForm,
  rows: number,
  random: Random,
): Tensor[] {
  return inputs.map(({ name, datatype }) => {
    const shape = [rows, ...(shapes.get(name) ?? [])];
    return { name, datatype, shape, data: madeUpData(datatype, shape, values, random) };
  });
}

function madeUpData(
  datatype: Datatype,
  shape: readonly number[],
  values: RequestForm["values"],
  random: Random,
): Uint8Array {
  const count = elementCount(shape);
  if (datatype === "BYTES") {
    const text = (): Uint8Array => new TextEncoder().encode(Math.floor(random() * 36 ** 6).toString(36));
    return bytesOfElements(Array.from({ length: count }, text));
  }
  const elements = newElements(datatype, count);
  for (let index = 0; index < count; index++) {
    const value = madeUpValue(datatype, values, random);
    elements[index] =
      elements instanceof BigInt64Array || elements instanceof BigUint64Array ? BigInt(value) : value;
  }
  if (isOfTokens(datatype, shape)) padRows(elements, shape[1] ?? 0, random);
  return rawBytes(elements);
}

function isOfTokens(datatype: Datatype, shape: readonly number[]): boolean {
  return (datatype === "INT32" || datatype === "INT64") && shape.length === 2;
}

/** Zeros at the end of rows, as of texts of different lengths: a model may cut all rows to the longest of the batch. */
function padRows(elements: ReturnType<typeof newElements>, width: number, random: Random): void {
  const zero = elements instanceof BigInt64Array ? 0n : 0;
  for (let start = 0; start < elements.length; start += width) {
    const length = 1 + Math.floor(random() * width);
    for (let index = start + length; index < start + width; index++) elements[index] = zero;
  }
}

function madeUpValue(datatype: Datatype, values: RequestForm["values"], random: Random): number {
  const isWide = values === "wide";
  switch (datatype) {
    case "FP32":
    case "FP64":
      // Of about mean 0 and deviation 1, as normalized data is.
      return isWide ? 2 * (random() + random() + random() - 1.5) : random();
    case "FP16":
      // The bits of a half from 0.5 to 1, with either sign.
      return 0x3800 + Math.floor(random() * 1_024) + (isWide && random() < 0.5 ? 0x8000 : 0);
    case "BF16":
      return 0x3f00 + Math.floor(random() * 128) + (isWide && random() < 0.5 ? 0x8000 : 0);
    case "UINT8":
      return Math.floor(random() * (isWide ? 256 : 2));
    case "BOOL":
      return Math.floor(random() * 2);
    default:
      return Math.floor(random() * (isWide ? 10 : 2));
  }
}
