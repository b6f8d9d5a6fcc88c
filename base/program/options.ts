/**
 * Command-line flags, environment and configuration file from one zod schema: a flag beats the environment,
 * that beats the file, that beats the default. Every field of the schema is `--field-name`,
 * `SPILLWAY_FIELD_NAME` and `fieldName:` in YAML. A list is a flag that is repeated, a list in YAML, or a text
 * with commas between. A field's metadata may say more:
 *
 *     z.enum(["spillway", "fixed"]).default("spillway").meta({ alias: "plan" })
 */
import { type Command, Option } from "commander";
import { z } from "zod";
import { allowedIn, allowedText, defaultText, joined, rangeText } from "./option-texts.ts";
import { hasOwnText } from "./schema-fault.ts";
import { UsageError } from "../usage-error.ts";
import { didYouMean } from "../error-text.ts";
import { numberOrText } from "./number-or-text.ts";
import { readYamlFile } from "../files.ts";

/** Key of a schema's metadata: the value of its flag when none follows it. */
const bareValue = "bareValue";

/** Key of a schema's metadata: one letter that stands for the flag as well. */
const shortName = "short";

/** Key of a schema's metadata: an earlier key of the field. It still works everywhere, and no help lists it. */
const aliasKey = "alias";

/** Key of a schema's metadata: how help calls its value where that is given without a flag, such as `FILE`. One field at most. */
const argumentName = "argument";

/** Key of a list's metadata: what `--no-` before its flag does. In a file and the environment, `false` is an empty list. */
const noneMeaning = "none";

/** What a field is called in a file, on the command line and in the environment. */
interface FieldName {
  readonly key: string;
  readonly flag: string;
  readonly env: string;
}

type ScalarType = "string" | "number" | "integer" | "boolean";

interface Field extends FieldName {
  readonly alias: FieldName | undefined;
  /** Of the value, or of each item of a list. */
  readonly type: ScalarType;
  readonly isList: boolean;
  readonly description: string;
  readonly schema: z.core.JSONSchema.BaseSchema;
}

/** Add a flag for every field of the schema, and `--config FILE`. */
export function addOptions(command: Command, schema: z.ZodObject): Command {
  for (const field of fieldsOf(schema)) {
    command.addOption(optionOf(field));
    const meaning = field.schema[noneMeaning] as string | undefined;
    if (meaning !== undefined)
      command.addOption(new Option(`--no-${field.flag}`, `${meaning} (env: ${field.env}=false)`));
    if (field.alias !== undefined) command.addOption(optionOf({ ...field, ...field.alias }).hideHelp());
    const argument = field.schema[argumentName] as string | undefined;
    if (argument !== undefined) command.argument(`[${argument}]`, `the same as --${field.flag}`);
  }
  return command.option("--config <file>", "YAML file with any of these options by their names in camelCase");
}

/**
 * The options of a command that was parsed: checked, with defaults, frozen.
 *
 * @throws UsageError when a value is out of range or a key of the file is unknown
 */
export function readOptions<S extends z.ZodObject>(
  command: Command,
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<z.output<S>> {
  const configPath = flagValue(command, "config") as string | undefined;
  const file = configPath === undefined ? {} : readConfig(configPath, schema);
  const fields = fieldsOf(schema);
  const values: Record<string, unknown> = {};
  const places: Record<string, string> = {};
  for (const field of fields) {
    const names = namesOf(field);
    const source: readonly [unknown, string] | undefined = [
      ...names.map(({ key, flag }) => [flagValue(command, key), `--${flag}`] as const),
      [argumentOf(command, field), field.schema[argumentName] as string] as const,
      ...names.map(({ env: variable }) => [env[variable], variable] as const),
      ...names.map(({ key }) => [file[key], `${configPath}: ${key}`] as const),
    ].find(([value]) => value !== undefined);
    if (source === undefined) continue;
    values[field.key] = valueOf(source[0], field);
    places[field.key] = source[1];
  }
  return checkValues(schema, values, places);
}

/** A configuration file that a command was given, for a program that follows it while it runs. */
export interface ConfigFile<T> {
  readonly path: string;
  /** Whether neither flag nor environment says what the field is, so that the file does. */
  decides(key: keyof T & string): boolean;
  /**
   * The options of the file alone as it is now, with defaults.
   *
   * @throws UsageError when a value is out of range or a key is unknown
   */
  read(): Readonly<T>;
}

/** The file of `--config`; undefined when there is none. */
export function configFileOf<S extends z.ZodObject>(
  command: Command,
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): ConfigFile<z.output<S>> | undefined {
  const path = flagValue(command, "config") as string | undefined;
  if (path === undefined) return undefined;
  return {
    path,
    decides: (key) => {
      const field = fieldsOf(schema).find((each) => each.key === key) as Field;
      return namesOf(field).every(
        (name) => flagValue(command, name.key) === undefined && env[name.env] === undefined,
      );
    },
    read: () => {
      const file = readConfig(path, schema);
      const keys = Object.keys(file);
      return checkValues(schema, file, Object.fromEntries(keys.map((key) => [key, `${path}: ${key}`])));
    },
  };
}

/**
 * Values checked by a schema, with its defaults, frozen.
 *
 * @param values by the keys of the schema, or by their aliases
 * @param places where each value was given, by its key
 * @throws UsageError with a line for every value that is missing or not allowed
 */
export function checkValues<S extends z.ZodObject>(
  schema: S,
  values: Readonly<Record<string, unknown>>,
  places: Readonly<Record<string, string>>,
): Readonly<z.output<S>> {
  const fields = fieldsOf(schema);
  const named = Object.fromEntries(
    Object.entries(values).map(([given, value]): [string, unknown] => {
      const key = nameOf(given, fields);
      const field = fields.find((each) => each.key === key);
      return [key, field?.isList === true ? valueOf(value, field) : value];
    }),
  );
  const result = schema.safeParse(named);
  if (result.success) return Object.freeze(result.data);
  const problems = result.error.issues.map((issue) => {
    const {
      path: [key, index],
      message: own,
    } = issue;
    const field = fields.find((each) => each.key === key);
    if (field === undefined) return own;
    const place = places[field.key] ?? places[field.alias?.key ?? ""];
    const called = (field.schema[argumentName] as string | undefined) ?? `--${field.flag}`;
    if (place === undefined) return `${called} is missing: ${field.description}`;
    const messageFor = (each: z.core.JSONSchema.BaseSchema): string =>
      (hasOwnText(issue) ? undefined : allowedIn(each)) ?? own;
    if (!field.isList)
      return problemOf(place, named[field.key], allowedText(field) ?? messageFor(field.schema));
    if (typeof index !== "number") return problemOf(place, named[field.key], messageFor(field.schema));
    const item = { ...field, schema: itemSchemaOf(field.schema) };
    const message = messageFor(item.schema);
    return problemOf(place, (named[field.key] as unknown[])[index], allowedText(item) ?? message);
  });
  throw new UsageError(problems.join("\n"));
}

function problemOf(place: string, value: unknown, allowed: string): string {
  return `${place} is ${JSON.stringify(value)}; allowed: ${allowed}`;
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

/** The value of a flag that was given; a default of commander does not count. */
function flagValue(command: Command, key: string): unknown {
  return command.getOptionValueSource(key) === "cli" ? command.getOptionValue(key) : undefined;
}

/** What was given without a flag; undefined: nothing, or it is not meant for this field. */
function argumentOf({ args }: Command, { schema }: Field): string | undefined {
  return schema[argumentName] === undefined ? undefined : args[0];
}

function fieldsOf(schema: z.ZodObject): Field[] {
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

function itemSchemaOf({ items }: z.core.JSONSchema.BaseSchema): z.core.JSONSchema.BaseSchema {
  return items as z.core.JSONSchema.BaseSchema;
}

function fieldName(key: string): FieldName {
  const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { key, flag, env: `SPILLWAY_${flag.toUpperCase().replaceAll("-", "_")}` };
}

/** The names of a field; where both are used, the first one counts. */
function namesOf({ key, flag, env, alias }: Field): FieldName[] {
  return [{ key, flag, env }, ...(alias === undefined ? [] : [alias])];
}

/** The key of the field that is called `key`, which may be its alias; another key as it is. */
function nameOf(key: string, fields: readonly Field[]): string {
  return fields.find(({ alias }) => alias?.key === key)?.key ?? key;
}

function optionOf({ flag, env, type, isList, description, schema }: Field): Option {
  if (type === "boolean" && schema.default === true) {
    // What a description says after "false:" is what the flag does.
    const [whenTrue, whenFalse = `do not ${whenTrue}`] = description.split("; false: ");
    return new Option(`--no-${flag}`, `${whenFalse} (env: ${env}=false)`);
  }
  const name = type === "integer" ? "number" : type;
  const bare = schema[bareValue];
  const value = type === "boolean" ? "" : bare === undefined ? ` <${name}>` : ` [${name}]`;
  const facts = [rangeText(schema), isList ? "may be repeated" : "", defaultText(schema), `env: ${env}`];
  const short = schema[shortName] === undefined ? "" : `-${schema[shortName] as string}, `;
  const option = new Option(`${short}--${flag}${value}`, `${description} (${joined(facts, "; ")})`);
  if (isList)
    option.argParser((text, before: unknown): unknown[] => [...(Array.isArray(before) ? before : []), text]);
  if (bare !== undefined) option.preset(bare);
  if (schema.enum !== undefined) option.choices(schema.enum as string[]);
  return option;
}

/** What was given, as the schema takes it. */
function valueOf(given: unknown, { type, isList, schema }: Field): unknown {
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

function readConfig(path: string, schema: z.ZodObject): Record<string, unknown> {
  const content = readYamlFile(path);
  if (content === null) return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new UsageError(`${path}: holds no options; expected lines such as "port: 8000"`);
  }
  refuseUnknown(Object.keys(content), schema, path);
  return content as Record<string, unknown>;
}
