/** The elements of a tensor as lists of values, one list for each kind of datatype, beside their raw form. */
import { Buffer } from "node:buffer";
import { bytesOfElements, elementsOfBytes } from "../bytes-elements.ts";
import { type Datatype, rawBytes, rawView } from "../datatype.ts";
import { ProtocolError } from "../errors.ts";
import { packNumbers } from "../number-elements.ts";
import { elementCount, type Tensor } from "../tensor.ts";
import type { Int64 } from "./grpc-parameters.ts";

export interface GrpcContents {
  readonly bool_contents?: readonly boolean[];
  readonly int_contents?: ArrayLike<number>;
  readonly int64_contents?: readonly (Int64 | number)[];
  readonly uint_contents?: ArrayLike<number>;
  readonly uint64_contents?: readonly (Int64 | number)[];
  readonly fp32_contents?: ArrayLike<number>;
  readonly fp64_contents?: ArrayLike<number>;
  readonly bytes_contents?: readonly Uint8Array[];
}

type ListName = keyof GrpcContents;

/** The list of a datatype; FP16 and BF16 have none. */
const lists: Readonly<Record<Datatype, ListName | undefined>> = {
  BOOL: "bool_contents",
  INT8: "int_contents",
  INT16: "int_contents",
  INT32: "int_contents",
  INT64: "int64_contents",
  UINT8: "uint_contents",
  UINT16: "uint_contents",
  UINT32: "uint_contents",
  UINT64: "uint64_contents",
  FP16: undefined,
  BF16: undefined,
  FP32: "fp32_contents",
  FP64: "fp64_contents",
  BYTES: "bytes_contents",
};
const listNames = [...new Set(Object.values(lists))].filter((name) => name !== undefined);

export function hasList(datatype: Datatype): boolean {
  return lists[datatype] !== undefined;
}

/** Whether there is a value in any list: some servers send empty contents beside raw ones. */
export function hasElements(contents: GrpcContents | null | undefined): boolean {
  return listNames.some((name) => (contents?.[name]?.length ?? 0) > 0);
}

/**
 * The raw form. How many elements there are is not checked.
 *
 * @param place starts every error
 * @throws ProtocolError for a list of another datatype, and for values out of range
 */
export function rawFromContents(
  datatype: Datatype,
  contents: GrpcContents | null | undefined,
  place: string,
): Uint8Array {
  const name = lists[datatype];
  if (name === undefined)
    throw new ProtocolError(`${place}: ${datatype} has no list of contents; allowed: raw contents`);
  const other = listNames.find((each) => each !== name && (contents?.[each]?.length ?? 0) > 0);
  if (other !== undefined) throw new ProtocolError(`${place} has ${other}; ${datatype} takes ${name}`);
  const list = contents?.[name] ?? [];
  if (datatype === "BYTES") return bytesOfElements(list as readonly Uint8Array[]);
  if (datatype === "INT64" || datatype === "UINT64") return rawFromLongs(list as readonly (Int64 | number)[]);
  return packNumbers(datatype, [list], list.length, { place, finite: false });
}

function rawFromLongs(list: readonly (Int64 | number)[]): Uint8Array {
  const words = new Int32Array(2 * list.length);
  for (const [index, value] of list.entries()) {
    const isNumber = typeof value === "number";
    words[2 * index] = isNumber ? value : value.low;
    words[2 * index + 1] = isNumber ? Math.floor(value / 2 ** 32) : value.high;
  }
  return rawBytes(words);
}

/** The list of a tensor whose datatype has one, in its one field. */
export function contentsOf({ datatype, shape, data, name }: Tensor): GrpcContents {
  const list = lists[datatype];
  if (list === undefined) throw new ProtocolError(`tensor "${name}": ${datatype} has no list of contents`);
  if (datatype === "BYTES")
    return { bytes_contents: elementsOfBytes(data, elementCount(shape), `tensor "${name}"`) };
  if (datatype === "INT64" || datatype === "UINT64") {
    const words = rawView("INT32", data);
    const isUnsigned = datatype === "UINT64";
    const longs = Array.from({ length: words.length / 2 }, (_, index): Int64 => {
      return { low: words[2 * index] as number, high: words[2 * index + 1] as number, unsigned: isUnsigned };
    });
    return { [list]: longs };
  }
  const view = rawView(datatype, data);
  return { [list]: datatype === "BOOL" ? Array.from(view, Boolean) : view };
}

/** Raw data as protobufjs writes it without a copy of its own. */
export function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
