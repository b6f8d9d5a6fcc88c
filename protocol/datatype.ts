// The tensor datatypes of the Open Inference Protocol, with the size and the range of an element. One table, so
// that every check and every message says the same.

export type Datatype =
  | "BOOL"
  | "INT8"
  | "INT16"
  | "INT32"
  | "INT64"
  | "UINT8"
  | "UINT16"
  | "UINT32"
  | "UINT64"
  | "FP16"
  | "FP32"
  | "FP64"
  | "BYTES";

interface Element {
  readonly bytes: number;
  /** For integers: the range a JavaScript number can state exactly, which for 64 bits is narrower than the type. */
  readonly range?: readonly [min: number, max: number];
  /** For others: what is allowed, unless it is any finite number. */
  readonly allowed?: string;
}

const elements: Readonly<Record<Datatype, Element>> = {
  BOOL: { bytes: 1, allowed: "true, false, 1 and 0" },
  INT8: { bytes: 1, range: [-128, 127] },
  INT16: { bytes: 2, range: [-32768, 32767] },
  INT32: { bytes: 4, range: [-2147483648, 2147483647] },
  INT64: { bytes: 8, range: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] },
  UINT8: { bytes: 1, range: [0, 255] },
  UINT16: { bytes: 2, range: [0, 65535] },
  UINT32: { bytes: 4, range: [0, 4294967295] },
  UINT64: { bytes: 8, range: [0, Number.MAX_SAFE_INTEGER] },
  FP16: { bytes: 2 },
  FP32: { bytes: 4, allowed: "finite numbers of at most 3.4028235e38 in size" },
  FP64: { bytes: 8 },
  BYTES: { bytes: 0, allowed: "well-formed Unicode strings" },
};

export function isDatatype(value: unknown): value is Datatype {
  return typeof value === "string" && Object.hasOwn(elements, value);
}

/** All datatypes, in the order of the type above. */
export const datatypes: readonly Datatype[] = Object.keys(elements).filter(isDatatype);

/** Bytes of one element in raw form; 0 for BYTES, whose elements vary. */
export function elementBytes(datatype: Datatype): number {
  return elements[datatype].bytes;
}

/** The integers that may be given as JavaScript numbers, both ends included; undefined for other datatypes. */
export function integerRange(datatype: Datatype): readonly [min: number, max: number] | undefined {
  return elements[datatype].range;
}

/** What an element may be when it is given as a JSON value, in words for an error message. */
export function allowedValues(datatype: Datatype): string {
  const { range, allowed = "finite numbers" } = elements[datatype];
  return range === undefined ? allowed : `integers from ${range[0]} to ${range[1]}`;
}
