/** What help and errors say of an option: its values, its range, its default. */
import type { z } from "zod";

/** A field as these texts need it. */
interface Described {
  readonly type: "string" | "number" | "integer" | "boolean";
  readonly schema: z.core.JSONSchema.BaseSchema;
}

/** The values that a field takes, in words; undefined when only its schema can tell. */
export function allowedText({ type, schema }: Described): string | undefined {
  if (schema.enum !== undefined) return schema.enum.join(", ");
  if (type === "boolean") return "true or false";
  if (schema.format === "uri") return "a URL";
  if (type === "string") return schema.minLength === undefined ? undefined : "a text that is not empty";
  const facts = [type === "integer" ? "an integer" : "a number", rangeText(schema)];
  return joined(facts, ", ");
}

export function joined(facts: readonly string[], separator: string): string {
  return facts.filter((fact) => fact !== "").join(separator);
}

export function rangeText({ minimum, exclusiveMinimum, maximum }: z.core.JSONSchema.BaseSchema): string {
  // For a schema without a range, zod states that of safe integers.
  const most = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (typeof exclusiveMinimum === "number") {
    return most === undefined ? `above ${exclusiveMinimum}` : `above ${exclusiveMinimum}, to ${most}`;
  }
  if (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER) return "";
  return most === undefined ? `${minimum} or more` : `${minimum} to ${most}`;
}

export function defaultText({ default: value }: z.core.JSONSchema.BaseSchema): string {
  if (value === undefined) return "";
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return `default: ${values.map((each) => JSON.stringify(each)).join(", ")}`;
}
