/** JSON of messages: read with a bound on its nesting and its values, written without a loss of digits. */
import { isUtf8 } from "node:buffer";
import { parseExactJson } from "../../../../../../protocol/exact-json.ts";
import { ProtocolError } from "../../../../../../protocol/errors.ts";
import { scanJson } from "../../../../../../protocol/scan-json.ts";
import { MessageError } from "./message-error.ts";

/** The text of a payload, without a byte order mark. @throws MessageError when it is not UTF-8 */
export function textOfBytes(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new MessageError("not_utf8", "the payload is not UTF-8");
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const text = hasMark ? bytes.subarray(3) : bytes;
  return Buffer.from(text.buffer, text.byteOffset, text.length).toString("utf8");
}

/**
 * The value of JSON. Integers that a number cannot state are bigints; NaN and Infinity, which some devices send, are read
 * as such. Throws a MessageError.
 */
export function valueOfJson(bytes: Uint8Array): unknown {
  const text = textOfBytes(bytes);
  if (text.trim() === "") throw new MessageError("not_json", "the payload is empty; allowed: JSON");
  try {
    const { hasLongInteger, nonFiniteAt } = scanJson(bytes, "the payload");
    return hasLongInteger || nonFiniteAt !== undefined ? parseExactJson(text) : JSON.parse(text);
  } catch (error) {
    if (error instanceof ProtocolError)
      throw new MessageError(error.status === 413 ? "too_large" : "not_json", error.message);
    throw new MessageError("not_json", `the payload is not JSON: ${(error as Error).message}`);
  }
}

/** JSON text of a value: bigints with all digits; null for what JSON cannot state, such as NaN. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    // There is a bigint.
    return exactText(value);
  }
}

function exactText(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(exactText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value).filter(([, each]) => each !== undefined);
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${exactText(each)}`).join(",")}}`;
}
