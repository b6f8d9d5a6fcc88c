/**
 * What a command's options are called and take, from its zod schema. Every field is `--field-name`, `SPILLWAY_FIELD_NAME`
 * and `fieldName:` in YAML.
 */
import { numberOrText } from "./number-or-text.ts";
import { z } from "zod";
import { didYouMean } from "../error-text.ts";
import { UsageError } from "../usage-error.ts";

/** Key of a schema's metadata: the value of its flag when none follows it. */
export const bareValue = "bareValue";

/** Key of a schema's metadata: one letter that stands for the flag as well. */
export const shortName = "short";

/** Key of a schema's metadata: an earlier key of the field. It still works everywhere, and no help lists it. */
export const aliasKey = "alias";

/** Key of a schema's metadata: its value is shown nowhere. */
export const secretKey = "secret";

/** Key of a schema's metadata: how help calls its value where that is given without a flag, such as `FILE`. In the order of the fields. */
export const argumentName = "argument";

/** Key of a list's metadata: what `--no-` before its flag does. In a file and the environment, `false` is an empty list. */
export const noneMeaning = "none";

/** Keys of metadata that are ours, and not of JSON Schema. */
export const metaKeys: ReadonlySet<string> = new Set([
  bareValue,
  shortName,
  aliasKey,
  secretKey,
  argumentName,
  noneMeaning,
]);

/** What a field is called in a file, on the command line and in the environment. */
interface FieldName {
  readonly key: string;
  readonly flag: string;
  readonly env: string;
}

type ScalarType = "string" | "number" | "integer" | "boolean";

export interface OptionField extends FieldName {
  readonly alias: FieldName | undefined;
  /** Of the value, or of each item of a list. */
  readonly type: ScalarType;
  readonly isList: boolean;
  readonly description: string;
  readonly schema: z.core.JSONSchema.BaseSchema;
}

export function fieldsOf(schema: z.ZodObject): OptionField[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([key, value]) => {
    const field = value as z.core.JSONSchema.BaseSchema;
    const { flag, env } = fieldName(key);
    const isList = field.type === "array";
    const { type } = isList ? itemSchemaOf(field) : field;
    return {
      key,
      flag,
      env,
      alias: field[aliasKey] === undefined ? undefined : fieldName(field[aliasKey] as string),
      // A field that may also be a list or object, in a file, is a text on the command line.
      type: (type ?? "string") as ScalarType,
      isList,
      description: field.description ?? "",
      schema: field,
    };
  });
}

export function itemSchemaOf({ items }: z.core.JSONSchema.BaseSchema): z.core.JSONSchema.BaseSchema {
  return items as z.core.JSONSchema.BaseSchema;
}

function fieldName(key: string): FieldName {
  const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { key, flag, env: `SPILLWAY_${flag.toUpperCase().replaceAll("-", "_")}` };
}

/** The names of a field; where both are used, the first one counts. */
export function namesOf({ key, flag, env, alias }: OptionField): FieldName[] {
  return [{ key, flag, env }, ...(alias === undefined ? [] : [alias])];
}

/** The key of the field that is called `key`, which may be its alias; another key as it is. */
export function nameOf(key: string, fields: readonly OptionField[]): string {
  return fields.find(({ alias }) => alias?.key === key)?.key ?? key;
}

/** What was given, as the schema takes it. */
export function valueOf(given: unknown, { type, isList, schema }: OptionField): unknown {
  const parsed = (value: unknown): unknown => (typeof value === "string" ? parseText(value, type) : value);
  if (!isList) return parsed(given);
  if (schema[noneMeaning] !== undefined && (given === false || given === "false")) return [];
  const parts = (Array.isArray(given) ? (given as unknown[]) : [given]).flatMap((each) =>
    typeof each === "string" ? each.split(",").map((part) => part.trim()) : [each],
  );
  return parts.map(parsed);
}

function parseText(text: string, type: ScalarType): unknown {
  if (type === "number" || type === "integer") return numberOrText(text);
  if (type === "boolean")
    return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : text;
  return text;
}

/** @throws UsageError that names the place and the nearest known key when one of `keys` is none of the schema's */
export function refuseUnknown(keys: readonly string[], schema: z.ZodObject, place: string): void {
  const fields = fieldsOf(schema);
  const known = fields.map(({ key }) => key);
  for (const key of keys) {
    if (known.includes(nameOf(key, fields))) continue;
    throw new UsageError(`${place}: unknown option "${key}"${didYouMean(key, known)}`);
  }
}

/** The names of the environment variables that set the options of a schema, with those of aliases. */
export function environmentNames(schema: z.ZodObject): string[] {
  return fieldsOf(schema).flatMap((field) => namesOf(field).map(({ env }) => env));
}
