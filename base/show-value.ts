// How a value somebody sent appears in an error message. Apart, because it must stay short and cheap whatever
// was sent: a message never repeats a megabyte, and never walks a nested value.

const MAX_SHOWN_CHARACTERS = 60;

/** A description of at most some 80 characters. */
export function showValue(value: unknown): string {
  if (typeof value === "string") {
    return value.length <= MAX_SHOWN_CHARACTERS
      ? JSON.stringify(value)
      : `${JSON.stringify(value.slice(0, MAX_SHOWN_CHARACTERS))}... (${value.length} characters)`;
  }
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (Object.is(value, -0)) return "-0";
  if (value === null || typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
