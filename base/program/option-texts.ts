/** What help and errors say of an option: its values, its range, its default. */
import type { z } from "zod";

/** A field as these texts need it. */
interface Described {
  readonly type: "string" | "number" | "integer" | "boolean";
  readonly schema: JsonSchema;
}

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * The values that a JSON Schema allows, in words; undefined when it does not tell.
 *
 * @example
 * allowedIn({ anyOf: [{ type: "string" }, { type: "array" }] }); // "a text or a list"
 */
export function allowedIn(schema: JsonSchema): string | undefined {
  const forms = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined;
  if (forms !== undefined) {
    const texts = forms.map(allowedIn).filter((text) => text !== undefined);
    return texts.length === 0 ? undefined : [...new Set(texts)].join(" or ");
  }
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  switch (schema.type) {
    case "string":
      return allowedText({ type: "string", schema }) ?? "a text";
    case "array":
      return (schema.minItems ?? 0) > 0 ? "a list that is not empty" : "a list";
    case "object":
      return schema.properties === undefined
        ? "an object"
        : `an object of ${Object.keys(schema.properties).join(", ")}`;
    case "number":
    case "integer":
    case "boolean":
      return allowedText({ type: schema.type, schema });
    default:
      return schema.enum?.map((each) => JSON.stringify(each)).join(", ");
  }
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

export function rangeText({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  // For a schema without a range, zod states that of safe integers.
  const most = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (typeof exclusiveMinimum === "number") {
    return most === undefined ? `above ${exclusiveMinimum}` : `above ${exclusiveMinimum}, to ${most}`;
  }
  if (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER) return "";
  return most === undefined ? `${minimum} or more` : `${minimum} to ${most}`;
}

export function defaultText({ default: value }: JsonSchema): string {
  if (value === undefined) return "";
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return `default: ${values.map((each) => JSON.stringify(each)).join(", ")}`;
}
