/** Reads what may be JSON and may be anything. */

/** The value in a text of UTF-8; undefined when that is no JSON, or null. */
export function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) ?? undefined;
  } catch {
    return undefined;
  }
}
