/** What an ONNX file says of itself beside its graph (`metadata_props`), read without loading the graph. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Fields of ModelProto and of its StringStringEntryProto (protobuf). */
const field = { metadataProps: 14, key: 1, value: 2 };
/** Most fields of a model, and bytes of one property: more is not read. */
const [mostFields, mostBytes] = [10_000, 1_048_576];

/**
 * The properties by their name; none when the file is no ONNX model. Ultralytics writes `names` and `imgsz`, Paddle's
 * converters `character`.
 */
export function fileProperties(path: string): Map<string, string> {
  const properties = new Map<string, string>();
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    let place = 0;
    for (let count = 0; place < size && count < mostFields; count++) {
      const head = fieldAt(bytesOf(file, place, 20));
      if (head === undefined) break;
      const length = head.length ?? 0;
      const from = place + head.bytes;
      if (head.number === field.metadataProps && length <= mostBytes) {
        const [key, value] = entryOf(bytesOf(file, from, length));
        if (key !== undefined) properties.set(key, value ?? "");
      }
      place = from + length;
    }
  } finally {
    closeSync(file);
  }
  return properties;
}

function bytesOf(file: number, place: number, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  return bytes.subarray(0, readSync(file, bytes, 0, count, place));
}

interface Field {
  readonly number: number;
  /** Of its head, or of the whole field when that has no length. */
  readonly bytes: number;
  readonly length?: number;
}

/** Undefined for what no protobuf has. */
function fieldAt(bytes: Buffer): Field | undefined {
  const tag = varintAt(bytes, 0);
  if (tag === undefined) return undefined;
  const number = Math.floor(tag.value / 8);
  const after = varintAt(bytes, tag.bytes);
  switch (tag.value % 8) {
    case 0:
      return after && { number, bytes: tag.bytes + after.bytes };
    case 1:
      return { number, bytes: tag.bytes + 8 };
    case 2:
      return after && { number, bytes: tag.bytes + after.bytes, length: after.value };
    case 5:
      return { number, bytes: tag.bytes + 4 };
    default:
      return undefined;
  }
}

function varintAt(
  bytes: Buffer,
  place: number,
): { readonly value: number; readonly bytes: number } | undefined {
  let value = 0;
  for (let index = 0; index < 8; index++) {
    const byte = bytes[place + index];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 128 ** index;
    if (byte < 128) return { value, bytes: index + 1 };
  }
  return undefined;
}

function entryOf(bytes: Buffer): [key?: string, value?: string] {
  const texts: [key?: string, value?: string] = [];
  for (let place = 0; place < bytes.length;) {
    const head = fieldAt(bytes.subarray(place));
    if (head === undefined) break;
    const from = place + head.bytes;
    place = from + (head.length ?? 0);
    const text = bytes.subarray(from, place).toString("utf8");
    if (head.number === field.key) texts[0] = text;
    if (head.number === field.value) texts[1] = text;
  }
  return texts;
}
