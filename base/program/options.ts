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
import { withoutUserInfo } from "../error-text.ts";
import { UsageError } from "../usage-error.ts";
import { alone, type ConfigValues, findConfigFile, type Programs, readConfig } from "./config-file.ts";
import {
  argumentName,
  bareValue,
  fieldsOf,
  itemSchemaOf,
  nameOf,
  namesOf,
  noneMeaning,
  type OptionField,
  secretKey,
  shortName,
  valueOf,
} from "./option-schema.ts";

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
  if (readsFileItself(schema)) return command;
  return command.option(
    "--config <file>",
    "YAML file with these options by their names in camelCase, or with a section for each program (default: SPILLWAY_CONFIG, else spillway.yaml where it is there)",
  );
}

/** Where a value was given. */
export type OptionSource = "flag" | "environment" | "file" | "default";

/** What was given of the options of a command, before it is checked. */
export interface GivenOptions {
  readonly values: Readonly<Record<string, unknown>>;
  /** How messages call where a value was given, by its key. */
  readonly places: Readonly<Record<string, string>>;
  readonly sources: Readonly<Record<string, OptionSource>>;
}

/**
 * What flags, environment and file give of the options of a command that was parsed.
 *
 * @param programs which section of the file is meant. Default: the file has no sections
 * @throws UsageError when a key of the file is unknown
 */
export function givenOptions(
  command: Command,
  schema: z.ZodObject,
  env: Readonly<Record<string, string | undefined>>,
  programs: Programs = alone,
): GivenOptions {
  const file = fileOf(command, schema, env, programs);
  const values: Record<string, unknown> = {};
  const places: Record<string, string> = {};
  const sources: Record<string, OptionSource> = {};
  for (const field of fieldsOf(schema)) {
    const names = namesOf(field);
    const found: readonly [unknown, string, OptionSource] | undefined = [
      ...names.map(({ key, flag }) => [flagValue(command, key), `--${flag}`, "flag"] as const),
      [argumentOf(command, field, schema), field.schema[argumentName] as string, "flag"] as const,
      ...names.map(({ env: variable }) => [env[variable], variable, "environment"] as const),
      ...names.map(({ key }) => [file?.values[key], file?.placeOf(key) ?? key, "file"] as const),
    ].find(([value]) => value !== undefined);
    if (found === undefined) continue;
    values[field.key] = valueOf(found[0], field);
    places[field.key] = found[1];
    sources[field.key] = found[2];
  }
  return { values, places, sources };
}

/**
 * The options of a command that was parsed: checked, with defaults, frozen.
 *
 * @param programs as in `givenOptions`
 * @throws UsageError when a value is out of range or a key of the file is unknown
 */
export function readOptions<S extends z.ZodObject>(
  command: Command,
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
  programs: Programs = alone,
): Readonly<z.output<S>> {
  const { values, places } = givenOptions(command, schema, env, programs);
  return checkValues(schema, values, places);
}

/** Key of a schema's metadata: its command has no options in the file, and none is read for it. */
export const withoutFile = "withoutFile";

/** Nor has a command with an option `config` of its own. */
function readsFileItself(schema: z.ZodObject): boolean {
  return "config" in schema.shape || schema.meta()?.[withoutFile] === true;
}

function fileOf(
  command: Command,
  schema: z.ZodObject,
  env: Readonly<Record<string, string | undefined>>,
  programs: Programs,
): ConfigValues | undefined {
  if (readsFileItself(schema)) return undefined;
  const file = findConfigFile(flagValue(command, "config") as string | undefined, env, programs);
  return file && readConfig(file, schema, programs);
}

/** A configuration file, for a program that follows it while it runs. */
export interface ConfigFile<T> {
  readonly path: string;
  /** Whether neither flag nor environment says what the field is, so that the file does. */
  decides(key: keyof T & string): boolean;
  /**
   * The program's options of the file alone as it is now, with defaults.
   *
   * @throws UsageError when a value is out of range or a key is unknown
   */
  read(): Readonly<T>;
}

/** The file that a command reads; undefined when there is none. */
export function configFileOf<S extends z.ZodObject>(
  command: Command,
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
  programs: Programs = alone,
): ConfigFile<z.output<S>> | undefined {
  if (readsFileItself(schema)) return undefined;
  const file = findConfigFile(flagValue(command, "config") as string | undefined, env, programs);
  if (file === undefined) return undefined;
  return {
    path: file.path,
    decides: (key) => {
      const field = fieldsOf(schema).find((each) => each.key === key) as OptionField;
      return namesOf(field).every(
        (name) => flagValue(command, name.key) === undefined && env[name.env] === undefined,
      );
    },
    read: () => {
      const { values, placeOf } = readConfig(file, schema, programs);
      return checkValues(
        schema,
        values,
        Object.fromEntries(Object.keys(values).map((key) => [key, placeOf(key)])),
      );
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
    if (field.schema[secretKey] === true)
      return `${place} is a secret that is not shown; allowed: ${messageFor(field.schema)}`;
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
  return `${place} is ${withoutUserInfo(JSON.stringify(value))}; allowed: ${allowed}`;
}

/** The value of a flag that was given; a default of commander does not count. */
function flagValue(command: Command, key: string): unknown {
  return command.getOptionValueSource(key) === "cli" ? command.getOptionValue(key) : undefined;
}

/** What was given without a flag, in the order of the fields that may be; undefined: nothing, or it is not meant for this one. */
function argumentOf({ args }: Command, { key, schema }: OptionField, all: z.ZodObject): string | undefined {
  if (schema[argumentName] === undefined) return undefined;
  const positional = fieldsOf(all).filter((field) => field.schema[argumentName] !== undefined);
  return args[positional.findIndex((field) => field.key === key)];
}

function optionOf({ flag, env, type, isList, description, schema }: OptionField): Option {
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
