/**
 * Command-line flags, environment and configuration file from one zod schema: a flag beats the environment,
 * that beats the file, that beats the default. Every field of the schema is `--field-name`,
 * `SPILLWAY_FIELD_NAME` and `fieldName:` in YAML.
 */
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { UsageError } from "../usage-error.ts";
import { didYouMean } from "../edit-distance.ts";
import { whyUnreadable } from "../file-fault.ts";

/** Key of a schema's metadata: the value that its flag means when none follows it. */
const bareValue = "bareValue";

/** Key of a schema's metadata: the one letter that stands for the flag, too. */
const shortName = "short";

interface Field {
  readonly key: string;
  readonly flag: string;
  readonly env: string;
  readonly type: "string" | "number" | "integer" | "boolean";
  readonly description: string;
  readonly schema: z.core.JSONSchema.BaseSchema;
}

/** Add a flag for every field of the schema, and `--config FILE`. */
export function addOptions(command: Command, schema: z.ZodObject): Command {
  for (const field of fieldsOf(schema)) command.addOption(optionOf(field));
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
  for (const { key, flag, env: variable, type } of fields) {
    const source: readonly [unknown, string] | undefined = [
      [flagValue(command, key), `--${flag}`] as const,
      [env[variable], variable] as const,
      [file[key], `${configPath}: ${key}`] as const,
    ].find(([value]) => value !== undefined);
    if (source === undefined) continue;
    values[key] = typeof source[0] === "string" ? parseText(source[0], type) : source[0];
    places[key] = source[1];
  }
  return checkValues(schema, values, places);
}

/**
 * Values checked by a schema, with its defaults, frozen.
 *
 * @param places where each value was given, by its key
 * @throws UsageError with a line for every value that is missing or not allowed
 */
export function checkValues<S extends z.ZodObject>(
  schema: S,
  values: Readonly<Record<string, unknown>>,
  places: Readonly<Record<string, string>>,
): Readonly<z.output<S>> {
  const result = schema.safeParse(values);
  if (result.success) return Object.freeze(result.data);
  const fields = fieldsOf(schema);
  const problems = result.error.issues.map(({ path: [key], message }) => {
    const field = fields.find((each) => each.key === key);
    if (field === undefined) return message;
    const place = places[field.key];
    if (place === undefined) return `--${field.flag} is missing: ${field.description}`;
    return `${place} is ${JSON.stringify(values[field.key])}; allowed: ${allowedText(field) ?? message}`;
  });
  throw new UsageError(problems.join("\n"));
}

/** @throws UsageError that names the place and the nearest known key when one of `keys` is none of the schema's */
export function refuseUnknown(keys: readonly string[], schema: z.ZodObject, place: string): void {
  const known = fieldsOf(schema).map(({ key }) => key);
  for (const key of keys) {
    if (known.includes(key)) continue;
    throw new UsageError(`${place}: unknown option "${key}"${didYouMean(key, known)}`);
  }
}

/** A flag's value where it was given; a default of commander's own is none. */
function flagValue(command: Command, key: string): unknown {
  return command.getOptionValueSource(key) === "cli" ? command.getOptionValue(key) : undefined;
}

function fieldsOf(schema: z.ZodObject): Field[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([key, value]) => {
    const field = value as z.core.JSONSchema.BaseSchema;
    const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const env = `SPILLWAY_${flag.toUpperCase().replaceAll("-", "_")}`;
    // A field that may also be a list or object, in a file, is a text on the command line.
    const type = (field.type ?? "string") as Field["type"];
    return { key, flag, env, type, description: field.description ?? "", schema: field };
  });
}

function optionOf({ flag, env, type, description, schema }: Field): Option {
  if (type === "boolean" && schema.default === true) {
    // A description says after "false:" what happens then; that is what the flag is for.
    const [whenTrue, whenFalse = `do not ${whenTrue}`] = description.split("; false: ");
    return new Option(`--no-${flag}`, `${whenFalse} (env: ${env}=false)`);
  }
  const name = type === "integer" ? "number" : type;
  const bare = schema[bareValue];
  const value = type === "boolean" ? "" : bare === undefined ? ` <${name}>` : ` [${name}]`;
  const facts = [rangeText(schema), defaultText(schema), `env: ${env}`].filter((fact) => fact !== "");
  const short = schema[shortName] === undefined ? "" : `-${schema[shortName] as string}, `;
  const option = new Option(`${short}--${flag}${value}`, `${description} (${facts.join("; ")})`);
  if (bare !== undefined) option.preset(bare);
  if (schema.enum !== undefined) option.choices(schema.enum as string[]);
  return option;
}

/** What a field takes; undefined when its schema alone can say. */
function allowedText({ type, schema }: Field): string | undefined {
  if (schema.enum !== undefined) return schema.enum.join(", ");
  if (type === "boolean") return "true or false";
  if (schema.format === "uri") return "a URL";
  if (type === "string") return schema.minLength === undefined ? undefined : "a text that is not empty";
  const facts = [type === "integer" ? "an integer" : "a number", rangeText(schema)];
  return facts.filter((fact) => fact !== "").join(", ");
}

function rangeText({ minimum, exclusiveMinimum, maximum }: z.core.JSONSchema.BaseSchema): string {
  // zod states the range of safe integers where a schema has none of its own.
  const most = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (typeof exclusiveMinimum === "number") {
    return most === undefined ? `above ${exclusiveMinimum}` : `above ${exclusiveMinimum}, to ${most}`;
  }
  if (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER) return "";
  return most === undefined ? `${minimum} or more` : `${minimum} to ${most}`;
}

function defaultText(schema: z.core.JSONSchema.BaseSchema): string {
  return schema.default === undefined ? "" : `default: ${JSON.stringify(schema.default)}`;
}

function parseText(text: string, type: Field["type"]): unknown {
  if (type === "number" || type === "integer") {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    // A text that is no number stays as it was typed, so that the message shows it.
    return Number.isFinite(value) ? value : text;
  }
  if (type === "boolean")
    return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : text;
  return text;
}

function readConfig(path: string, schema: z.ZodObject): Record<string, unknown> {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UsageError(`${path}: ${whyUnreadable(error)}`);
  }
  if (content === null) return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new UsageError(`${path}: holds no options; expected lines such as "port: 8000"`);
  }
  refuseUnknown(Object.keys(content), schema, path);
  return content as Record<string, unknown>;
}
