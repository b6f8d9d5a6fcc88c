/** One pass over the bytes of JSON text before it is parsed: how deep it is, and what JSON.parse would not take as meant. */
import { ProtocolError } from "./errors.ts";

/** The deepest nesting: a message has three levels around its data, and a shape has at most 32 dimensions. */
export const maxJsonDepth = 64;

export interface JsonScan {
  /** Whether there is an integer of 16 digits or more, which JSON.parse may round. */
  readonly hasLongInteger: boolean;
  /** Where the first NaN or Infinity may begin; undefined for none. */
  readonly nonFiniteAt: number | undefined;
}

/** Throws a ProtocolError, starting with `what`, when brackets are nested too deep. The text may be anything else. */
export function scanJson(bytes: Uint8Array, what: string): JsonScan {
  let depth = 0;
  let isInString = false;
  let hasLongInteger = false;
  let nonFiniteAt: number | undefined;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (isInString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) isInString = false;
    } else if (isDigit(byte)) {
      const start = at;
      while (isDigit(bytes[at + 1])) at++;
      if (at - start >= 15 && isWhole(bytes, start, at + 1)) hasLongInteger = true;
    } else if (byte === 0x22) {
      isInString = true;
    } else if (byte === 0x5b || byte === 0x7b) {
      depth++;
      // A few megabytes of brackets would become a hundred times that in nested arrays.
      if (depth > maxJsonDepth)
        throw new ProtocolError(`${what} is nested more than ${maxJsonDepth} deep at byte ${at}`);
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    } else if (byte === 0x4e || byte === 0x49) {
      nonFiniteAt ??= at;
    }
  }
  return { hasLongInteger, nonFiniteAt };
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Whether the digits from `start` to before `end` are a number without fraction and exponent. */
function isWhole(bytes: Uint8Array, start: number, end: number): boolean {
  const before = bytes[bytes[start - 1] === 0x2d ? start - 2 : start - 1];
  return !isFractional(before) && !isFractional(bytes[end]);
}

/** One of the characters . e E and +, next to which digits are part of a number that is no plain integer. */
function isFractional(byte: number | undefined): boolean {
  return byte === 0x2e || byte === 0x65 || byte === 0x45 || byte === 0x2b;
}
