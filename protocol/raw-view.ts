// Typed arrays over raw tensor bytes. Apart, because this is the one place that assumes a little-endian host (as
// every platform Node runs on in practice is) and that knows typed arrays must be aligned while bytes on the wire
// need not be.

import { type Datatype, elementBytes } from "./datatype.ts";

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
  // The bits of the halves: Node 20 has no Float16Array.
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

export type FixedDatatype = Exclude<Datatype, "BYTES">;
export type RawView<D extends FixedDatatype = FixedDatatype> = InstanceType<(typeof views)[D]>;

/**
 * The elements of `data`, whose length must be a multiple of the element size (RangeError otherwise). Shares memory
 * with `data` when its offset is aligned, and is a copy when it is not: read it, do not write to it.
 */
export function rawView<D extends FixedDatatype>(datatype: D, data: Uint8Array): RawView<D> {
  const bytes = elementBytes(datatype);
  if (data.length % bytes !== 0) {
    throw new RangeError(
      `${data.length} bytes are no whole number of ${datatype} elements of ${bytes} bytes`,
    );
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
