/**
 * One pass over the bytes of JSON text before it is parsed: how deep it is, how many values it has, and what JSON.parse
 * would not take as meant. A few megabytes of brackets or small objects would become a hundred times that as values.
 */
import { ProtocolError } from "./errors.ts";

/** The deepest nesting: a message has three levels around its data, and a shape has at most 32 dimensions. */
export const maxJsonDepth = 64;
/** Most values of a text that is no message, such as the description of a model. */
const mostPlainValues = 2 ** 18;
/** Most values of a message outside the data of its tensors, of which 1024 need fewer than half. */
export const mostOuterValues = 2 ** 16;
/** Most bytes of a message outside the data of its tensors. */
export const mostOuterBytes = 2 ** 20;
/** Most arrays within the data of all tensors, and most strings; numbers take no more memory than their text. */
export const mostInnerValues = 2 ** 20;

export interface JsonScan {
  /** Whether there is an integer of 16 digits or more, which JSON.parse may round. */
  readonly hasLongInteger: boolean;
  /** Where the first NaN or Infinity may begin; undefined for none. */
  readonly nonFiniteAt: number | undefined;
}

/** Which values count: all of them, or in a message those outside `data` of `inputs` and `outputs`. */
type JsonKind = "plain" | "message";

/**
 * Throws a ProtocolError, starting with `what`, when brackets are nested too deep (400), or there are too many values (413).
 * The text may be anything else.
 */
export function scanJson(bytes: Uint8Array, what: string, kind: JsonKind = "plain"): JsonScan {
  const isMessage = kind === "message";
  const mostValues = isMessage ? mostOuterValues : mostPlainValues;
  let depth = 0;
  let hasLongInteger = false;
  let nonFiniteAt: number | undefined;
  let values = 0;
  let innerValues = 0;
  /** Where the data of a tensor began; -1 outside of it. An object there is no data, so it counts as being outside. */
  let dataStart = -1;
  let dataBytes = 0;
  /** The last string, which is a key when a colon follows. */
  let textStart = 0;
  let textEnd = 0;
  let isInTensors = false;
  let isDataNext = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (isDigit(byte)) {
      const start = at;
      while (isDigit(bytes[at + 1])) at++;
      if (at - start >= 15 && isWhole(bytes, start, at + 1)) hasLongInteger = true;
      continue;
    }
    switch (byte) {
      case 0x22: // "
        textStart = at + 1;
        for (at++; at < bytes.length && bytes[at] !== 0x22; at++) if (bytes[at] === 0x5c) at++;
        textEnd = at;
        if (dataStart >= 0) innerValues++;
        break;
      case 0x3a: // :
        if (depth === 1) isInTensors = isMessage && isTensorsKey(bytes, textStart, textEnd);
        else if (depth === 3) isDataNext = isInTensors && isText(bytes, textStart, textEnd, "data");
        break;
      case 0x2c: // ,
        if (dataStart < 0) {
          values++;
          if (depth === 3) isDataNext = false;
        }
        break;
      case 0x5b: // [
        depth++;
        if (isDataNext && depth === 4) {
          dataStart = at;
          isDataNext = false;
        }
        if (dataStart < 0) values++;
        else innerValues++;
        break;
      case 0x7b: // {
        depth++;
        values++;
        if (dataStart >= 0) {
          dataBytes += at - dataStart;
          dataStart = -1;
        }
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        if (dataStart >= 0 && depth === 3) {
          dataBytes += at - dataStart;
          dataStart = -1;
        }
        break;
      case 0x4e: // N
      case 0x49: // I
        nonFiniteAt ??= at;
        break;
    }
    if (depth > maxJsonDepth)
      throw new ProtocolError(`${what} is nested more than ${maxJsonDepth} deep at byte ${at}`);
    if (values > mostValues) throw tooMany(what, isMessage, `${mostValues} values`);
    if (innerValues > mostInnerValues) {
      const most = `${mostInnerValues} strings and arrays`;
      throw new ProtocolError(`${what} has more than ${most} in its data; send it as binary data`, 413);
    }
  }
  if (dataStart >= 0) dataBytes += bytes.length - dataStart;
  if (isMessage && bytes.length - dataBytes > mostOuterBytes)
    throw tooMany(what, isMessage, `${mostOuterBytes} bytes`);
  return { hasLongInteger, nonFiniteAt };
}

function tooMany(what: string, isMessage: boolean, most: string): ProtocolError {
  return new ProtocolError(
    `${what} has more than ${most}${isMessage ? " outside the data of tensors" : ""}`,
    413,
  );
}

function isTensorsKey(bytes: Uint8Array, start: number, end: number): boolean {
  return isText(bytes, start, end, "inputs") || isText(bytes, start, end, "outputs");
}

/** Whether a string is that word as it is. One that is written with escapes is not, so that it counts as being outside. */
function isText(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let index = 0; index < word.length; index++)
    if (bytes[start + index] !== word.charCodeAt(index)) return false;
  return true;
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
