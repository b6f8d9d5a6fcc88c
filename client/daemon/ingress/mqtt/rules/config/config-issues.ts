/** What zod finds wrong with a rule file, in words that name the value, what is allowed and the nearest known key. */
import type { z } from "zod";
import { didYouMean } from "../../../../../../base/error-text.ts";
import { type ConfigFaults, type ConfigPath, pathName } from "./config-faults.ts";
import { mqttConfigSchema } from "./mqtt-config.ts";

/** A part of a JSON Schema, as far as it says which keys there are. */
interface SchemaPart {
  readonly properties?: Readonly<Record<string, SchemaPart>>;
  readonly additionalProperties?: SchemaPart | boolean;
  readonly items?: SchemaPart;
  readonly anyOf?: readonly SchemaPart[];
  readonly description?: string;
}

const olderKeys = new Set(["mqtts", "funcs", "expose"]);

/** Made when the first fault is looked up. */
let schema: SchemaPart | undefined;

/** Notes every issue as a fault. */
export function addIssues(issues: readonly z.core.$ZodIssue[], faults: ConfigFaults): void {
  for (const issue of issues) addIssue(issue, [], faults);
}

function addIssue(issue: z.core.$ZodIssue, before: ConfigPath, faults: ConfigFaults): void {
  const path = [...before, ...(issue.path as (string | number)[])];
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(path);
    for (const key of issue.keys) {
      if (path.length === 0 && olderKeys.has(key)) {
        faults.add([key], `${key} is of the older form of rule files; spillway mqtt convert reads it`);
        continue;
      }
      const where = path.length === 0 ? "" : ` of ${pathName(path)}`;
      faults.add([...path, key], `unknown key "${key}"${where}${didYouMean(key, known)}`);
    }
    return;
  }
  if (issue.code === "invalid_union") {
    const branch = meantBranch(issue.errors);
    if (branch !== undefined) {
      for (const each of branch) addIssue(each, path, faults);
      return;
    }
  }
  if (issue.input === undefined && issue.code !== "custom") {
    const meaning = partsAt(path).find((part) => part.description !== undefined)?.description;
    faults.add(path, `${pathName(path)} is missing${meaning === undefined ? "" : `: ${meaning}`}`);
    return;
  }
  faults.addValue(path, issue.input, allowed(issue));
}

/** Of a value that may have several forms: the issues of the form that it has, when one fits but for what is inside. */
function meantBranch(
  branches: readonly (readonly z.core.$ZodIssue[])[],
): readonly z.core.$ZodIssue[] | undefined {
  return branches.find(
    (issues) =>
      issues.length > 0 &&
      issues.every(({ code, path }) => code !== "invalid_type" || path.length > 0) &&
      issues.some(({ path, code }) => path.length > 0 || code === "unrecognized_keys"),
  );
}

function allowed(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_small":
      return `allowed: ${sizeText(issue.origin, issue.minimum, issue.inclusive === false ? "more than" : "at least")}`;
    case "too_big":
      return `allowed: ${sizeText(issue.origin, issue.maximum, "at most")}`;
    case "invalid_type":
      return `allowed: ${typeText(issue.expected)}`;
    case "invalid_value":
      return `allowed: ${[...new Set(issue.values.map(String))].join(", ")}`;
    case "invalid_union": {
      const each = issue.errors.flatMap(([first]) => (first === undefined ? [] : [allowed(first)]));
      return `allowed: ${[...new Set(each.map((text) => text.replace(/^allowed: /, "")))].join(", or ")}`;
    }
    case "invalid_key":
      return "allowed: a text of 1 to 256 characters as a name";
    default:
      return issue.message.startsWith("allowed: ") ? issue.message : `allowed: ${issue.message}`;
  }
}

function sizeText(origin: string, size: number | bigint, how: string): string {
  if (origin === "string") return size === 1 ? "a text that is not empty" : `${how} ${size} characters`;
  if (origin === "array") return `a list of ${how} ${size} ${size === 1 ? "item" : "items"}`;
  return `a number of ${how} ${size}`;
}

function typeText(expected: string): string {
  const words: Readonly<Record<string, string>> = {
    string: "a text",
    number: "a number",
    int: "an integer",
    boolean: "true or false",
    array: "a list",
    object: "keys with values",
    record: "keys with values",
  };
  return words[expected] ?? expected;
}

/** The keys that a place of the rule file may have. */
function keysAt(path: ConfigPath): string[] {
  return partsAt(path).flatMap(({ properties = {} }) => Object.keys(properties));
}

function partsAt(path: ConfigPath): readonly SchemaPart[] {
  let parts: readonly SchemaPart[] = alternatives((schema ??= mqttConfigSchema()));
  for (const step of path) {
    parts = parts.flatMap((part) => {
      const { items, properties, additionalProperties } = part;
      const next = typeof step === "number" ? items : (properties?.[step] ?? additionalProperties);
      return typeof next === "object" ? alternatives(next) : [];
    });
  }
  return parts;
}

function alternatives(part: SchemaPart): readonly SchemaPart[] {
  return part.anyOf === undefined ? [part] : [part, ...part.anyOf.flatMap(alternatives)];
}
