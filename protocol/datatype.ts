/** The tensor datatypes of the Open Inference Protocol, and typed arrays over their raw bytes. */

interface Element {
  readonly bytes: number;
  /** Of integers: the range that a JavaScript number states exactly, which for 64 bits is less than the type's own. */
  readonly range?: readonly [min: number, max: number];
  /** What is allowed, in words. Default: the integers of the range, or finite numbers. */
  readonly allowed?: string;
}

const elements = {
  BOOL: { bytes: 1, allowed: "true, false, 1 and 0" },
  INT8: { bytes: 1, range: [-128, 127] },
  INT16: { bytes: 2, range: [-32768, 32767] },
  INT32: { bytes: 4, range: [-2147483648, 2147483647] },
  INT64: {
    bytes: 8,
    range: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    allowed: "integers from -9223372036854775808 to 9223372036854775807",
  },
  UINT8: { bytes: 1, range: [0, 255] },
  UINT16: { bytes: 2, range: [0, 65535] },
  UINT32: { bytes: 4, range: [0, 4294967295] },
  UINT64: {
    bytes: 8,
    range: [0, Number.MAX_SAFE_INTEGER],
    allowed: "integers from 0 to 18446744073709551615",
  },
  FP16: { bytes: 2 },
  BF16: { bytes: 2 },
  FP32: { bytes: 4, allowed: "finite numbers of at most 3.4028235e38 in size" },
  FP64: { bytes: 8 },
  BYTES: { bytes: 0, allowed: "well-formed Unicode strings" },
} satisfies Record<string, Element>;

export type Datatype = keyof typeof elements;

export function isDatatype(value: unknown): value is Datatype {
  return typeof value === "string" && Object.hasOwn(elements, value);
}

/** All datatypes, in the order of the table above. */
export const datatypes: readonly Datatype[] = Object.keys(elements).filter(isDatatype);

function elementOf(datatype: Datatype): Element {
  return elements[datatype];
}

/** Bytes of one element in raw form; 0 for BYTES, whose elements vary in length. */
export function elementBytes(datatype: Datatype): number {
  return elements[datatype].bytes;
}

/** The integers that may be given as JavaScript numbers, both ends included; undefined for other datatypes. */
export function integerRange(datatype: Datatype): readonly [min: number, max: number] | undefined {
  return elementOf(datatype).range;
}

/** What an element may be when it is given as a JSON value, in words for an error message. */
export function allowedValues(datatype: Datatype): string {
  const { range, allowed } = elementOf(datatype);
  return allowed ?? (range === undefined ? "finite numbers" : `integers from ${range[0]} to ${range[1]}`);
}

/** Raw data is little-endian, as is every platform that Node runs on in practice. */
const views = {
  BOOL: Uint8Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  // The bits of the halves: Node 20 has no Float16Array, and no Node has one for BF16.
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

export type FixedDatatype = Exclude<Datatype, "BYTES">;
export type RawView<D extends FixedDatatype = FixedDatatype> = InstanceType<(typeof views)[D]>;

/**
 * The elements of `data`, whose length must be a multiple of the element size (RangeError otherwise). The result is for
 * reading only: it shares memory with `data` when that is aligned, and is a copy when it is not.
 */
export function rawView<D extends FixedDatatype>(datatype: D, data: Uint8Array): RawView<D> {
  const bytes = elementBytes(datatype);
  if (data.length % bytes !== 0) {
    throw new RangeError(`${data.length} bytes are not whole ${datatype} elements of ${bytes} bytes`);
  }
  // Not data.slice(): a Buffer's slice shares memory, so it would stay unaligned.
  const aligned = data.byteOffset % bytes === 0 ? data : new Uint8Array(data);
  const View = views[datatype];
  return new View(aligned.buffer as ArrayBuffer, aligned.byteOffset, data.length / bytes) as RawView<D>;
}

/** Zeroed elements to fill; `rawBytes` gives their raw form. */
export function newElements<D extends FixedDatatype>(datatype: D, count: number): RawView<D> {
  return new views[datatype](count) as RawView<D>;
}

/** The bytes of a typed array or Buffer, in the same memory, as a plain Uint8Array. */
export function rawBytes(elements: ArrayBufferView): Uint8Array {
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}
