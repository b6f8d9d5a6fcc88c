/** Reads of a result which message it is of, and whether it is an error. */

export interface ReadResult {
  /** Undefined: it does not say. */
  readonly id?: string;
  /** Code of the error; undefined: it is an answer. */
  readonly error?: string;
}

/** Most characters of an error's code. */
const mostCodeChars = 64;

/** @param path of the field with the id, such as `request.id` */
export function resultReader(path: string): (payload: Buffer) => ReadResult {
  const keys = path.split(".");
  return (payload) => {
    let value: unknown;
    try {
      value = JSON.parse(payload.toString("utf8"));
    } catch {
      return {};
    }
    const found = keys.reduce<unknown>((at, key) => member(at, key), value);
    const error = member(value, "error");
    const code = member(error, "code") ?? error;
    return {
      ...((typeof found === "string" || typeof found === "number") && { id: String(found) }),
      ...(error !== undefined &&
        error !== null && { error: `error result: ${String(code).slice(0, mostCodeChars)}` }),
    };
  };
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
