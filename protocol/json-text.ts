// Bytes to a JSON value, safely: size, UTF-8, depth, then syntax. Apart, because message bodies and call frames both
// come from strangers and need the same care before anything looks inside.

import { Buffer, isUtf8 } from "node:buffer";
import { ProtocolError } from "./errors.ts";

/** The longest JSON text taken or made: 64 MiB, which as parsed values may take ten times as much memory. */
export const MAX_JSON_BYTES = 64 * 2 ** 20;
/** The deepest nesting taken: a message has three levels around its data, and a shape has at most 32 dimensions. */
export const MAX_JSON_DEPTH = 64;

/** The value of JSON text in UTF-8. Throws only ProtocolError: 413 if too long, else 400; `what` names the text. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > MAX_JSON_BYTES) {
    throw new ProtocolError(
      `${what} has ${bytes.length} bytes of JSON; at most ${MAX_JSON_BYTES} are allowed: use binary data`,
      413,
    );
  }
  if (!isUtf8(bytes)) throw new ProtocolError(`${what} is not valid UTF-8`);
  checkDepth(bytes, what);
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  } catch (error) {
    throw new ProtocolError(
      `${what} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

// Before parsing: a few megabytes of brackets would become a hundred times that in nested arrays.
function checkDepth(bytes: Uint8Array, what: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) {
      inString = true;
    } else if (byte === 0x5b || byte === 0x7b) {
      depth++;
      if (depth > MAX_JSON_DEPTH) {
        throw new ProtocolError(`${what} is nested more than ${MAX_JSON_DEPTH} deep at byte ${at}`);
      }
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    }
  }
}
