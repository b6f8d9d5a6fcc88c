/**
 * The configuration file: `spillway.yaml` for all programs, with a section for each, or a file with the options of one
 * program. Which one a file is shows in its keys: names of programs with maps beneath them are sections.
 *
 *     edge:   { port: 8000, models: ./models }
 *     vqueue: { slo: 0.5, edge: http://127.0.0.1:8000 }
 */
import { existsSync } from "node:fs";
import type { z } from "zod";
import { nearestName } from "../error-text.ts";
import { readYamlFile } from "../files.ts";
import { UsageError } from "../usage-error.ts";
import { refuseUnknown } from "./option-schema.ts";

/** The file that is read when none is named. */
export const usualConfigPath = "spillway.yaml";
/** The environment variable that names one; empty: none is read. */
export const configVariable = "SPILLWAY_CONFIG";

/** The program whose options are read, and all that may have a section. */
export interface Programs {
  readonly name: string;
  readonly all: readonly string[];
}

/** A program whose file has its options alone, and that finds none by itself. */
export const alone: Programs = { name: "", all: [] };

/** What a file says for one program. */
export interface ConfigValues {
  readonly path: string;
  /** By their keys or the aliases of these. */
  readonly values: Readonly<Record<string, unknown>>;
  /** How messages call a key. */
  readonly placeOf: (key: string) => string;
}

/** Longer keys are compared with no name. */
const longestName = 64;

interface FoundFile {
  readonly path: string;
  /** Whether nobody named it, so that it has to be for all programs. */
  readonly isFound: boolean;
}

/** The file that a flag or the environment names, else the usual one where it is there. */
export function findConfigFile(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  { all }: Programs,
): FoundFile | undefined {
  if (flag !== undefined) return { path: flag, isFound: false };
  if (all.length === 0) return undefined;
  const named = env[configVariable];
  if (named !== undefined) return named === "" ? undefined : { path: named, isFound: false };
  return existsSync(usualConfigPath) ? { path: usualConfigPath, isFound: true } : undefined;
}

/** The sections of a file, and its keys that are none. */
export function sectionsOrOptions(
  content: Readonly<Record<string, unknown>>,
  programs: readonly string[],
): {
  readonly sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly others: readonly string[];
} {
  const entries = Object.entries(content);
  const sections = entries.flatMap(([key, value]) =>
    programs.includes(key) && (value === null || isMap(value)) ? [[key, value ?? {}] as const] : [],
  );
  const others = entries.map(([key]) => key).filter((key) => sections.every(([name]) => name !== key));
  return { sections: Object.fromEntries(sections), others };
}

/** Why a key of a file with sections is none. */
export function noSection(path: string, key: string, programs: readonly string[]): string {
  if (programs.includes(key))
    return `${path}: ${key} holds no options; expected lines such as "port: 8000" under it`;
  const nearest = key.length > longestName ? undefined : nearestName(key, programs);
  const isMeant = nearest !== undefined && nearest.edits <= 2;
  const guess = isMeant
    ? `did you mean "${nearest.name}"?`
    : `options stand under their program, such as "vqueue:"`;
  return `${path}: unknown program "${key}"; ${guess}`;
}

/** @throws UsageError when the file cannot be read, or holds no map */
export function readConfigMap(path: string): Readonly<Record<string, unknown>> {
  const content = readYamlFile(path);
  if (content === null || content === undefined) return {};
  if (isMap(content)) return content;
  throw new UsageError(`${path}: holds no options; expected lines such as "port: 8000"`);
}

/**
 * What a file says for one program.
 *
 * @throws UsageError when a key of the program's options is unknown, or the file is not for it
 */
export function readConfig(
  { path, isFound }: FoundFile,
  schema: z.ZodObject,
  programs: Programs,
): ConfigValues {
  const content = readConfigMap(path);
  const { sections, others } = sectionsOrOptions(content, programs.all);
  const hasSections = Object.keys(sections).length > 0;
  const [other] = others;
  if (other !== undefined && (hasSections || isFound))
    throw new UsageError(noSection(path, other, programs.all));
  const values = hasSections ? (sections[programs.name] ?? {}) : content;
  const prefix = hasSections ? `${path}: ${programs.name}` : path;
  refuseUnknown(Object.keys(values), schema, prefix);
  return { path, values, placeOf: (key) => (hasSections ? `${prefix}.${key}` : `${path}: ${key}`) };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
