/**
 * The exact bytes of string outputs. ONNX Runtime's binding gives text, in which U+FFFD stands for bytes that are not
 * UTF-8. Here the model gets nodes that split its strings at each of the bytes from 0x80 on, one after the other, until
 * only ASCII is left, which passes the binding; put together again in the reverse order they are the bytes.
 */
import { Buffer } from "node:buffer";
import { OnnxFragment } from "./onnx-fragment.ts";

const highBytes = Array.from({ length: 128 }, (_, index) => 0x80 + index);
/** The first version of ONNX's operators that splits strings. */
export const splittingOpset = 20;

/** What the nodes give for an output: the pieces of ASCII, and for each byte how many pieces each string came to. */
export interface SplitNames {
  readonly pieces: string;
  /** In the order of the bytes. */
  readonly counts: readonly string[];
}

/** Add the nodes for one output of strings; `prefix` makes their names unlike those of the model. */
export function addSplits(fragment: OnnxFragment, output: string, prefix: string): SplitNames {
  const name = (what: string, byte: number): string => `${prefix}/${what}/${byte}`;
  const [flat, zero, one, last] = [`${prefix}/flat`, `${prefix}/zero`, `${prefix}/one`, `${prefix}/last`];
  fragment.constant(flat, [-1]);
  fragment.constant(zero, 0);
  fragment.constant(one, 1);
  fragment.constant(last, [1]);
  let strings = `${prefix}/strings`;
  fragment.node("Reshape", [output, flat], [strings]);
  for (const byte of highBytes) {
    const [split, count] = [name("split", byte), name("count", byte)];
    const [width, places] = [name("width", byte), name("places", byte)];
    fragment.node("StringSplit", [strings], [split, count], { delimiter: Buffer.of(byte) });
    // Rows are filled up with empty strings, which are left out again: of each row the first `count` pieces count.
    fragment.node("Shape", [split], [name("shape", byte)], { start: 1 });
    fragment.node("Squeeze", [name("shape", byte)], [width]);
    fragment.node("Range", [zero, width, one], [places]);
    fragment.node("Unsqueeze", [count, last], [name("column", byte)]);
    fragment.node("Less", [places, name("column", byte)], [name("used", byte)]);
    fragment.node("Reshape", [name("used", byte), flat], [name("mask", byte)]);
    fragment.node("Reshape", [split, flat], [name("all", byte)]);
    strings = name("strings", byte);
    fragment.node("Compress", [name("all", byte), name("mask", byte)], [strings]);
    fragment.output(count, "int64");
  }
  fragment.output(strings, "string");
  return { pieces: strings, counts: highBytes.map((byte) => name("count", byte)) };
}

/**
 * The strings whose pieces these are.
 *
 * @param counts for each byte from 0x80 on, how many pieces each string came to; 0 for an empty string, which has none
 */
export function joinSplits(pieces: readonly string[], counts: readonly BigInt64Array[]): Buffer[] {
  // As Latin-1, where each character is a byte.
  let strings = pieces;
  for (const byte of highBytes.toReversed()) {
    const joint = String.fromCharCode(byte);
    let next = 0;
    strings = Array.from(counts[byte - 0x80] ?? [], (count) => {
      const end = next + Number(count);
      const string = strings.slice(next, end).join(joint);
      next = end;
      return string;
    });
  }
  return strings.map((string) => Buffer.from(string, "latin1"));
}
