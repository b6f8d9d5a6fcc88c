/** What is wrong with a configuration file: every unknown key, every value that is not allowed, and URLs where nobody is. */
import { once } from "node:events";
import { connect } from "node:net";
import type { z } from "zod";
import { didYouMean } from "../../base/error-text.ts";
import { noSection, readConfigMap, sectionsOrOptions } from "../../base/program/config-file.ts";
import { fieldsOf, nameOf } from "../../base/program/option-schema.ts";
import { checkValues } from "../../base/program/options.ts";
import { serverAddress } from "../../base/program/server-address.ts";
import { UsageError } from "../../base/usage-error.ts";
import type { SectionedProgram } from "./config-schema.ts";

/** How long a connection may take. */
const longestConnectMs = 2_000;
/** Options that are URLs also without a scheme. */
const urlKeys: ReadonlySet<string> = new Set(["edge", "url", "fcEndpoint"]);

export interface CheckedConfig {
  readonly programs: readonly string[];
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * @param program whose options a file without sections has
 * @throws UsageError when the file cannot be read, or holds no map
 */
export async function checkConfig(
  path: string,
  programs: readonly SectionedProgram[],
  { program, reach }: { readonly program?: string | undefined; readonly reach: boolean },
): Promise<CheckedConfig> {
  const content = readConfigMap(path);
  const names = programs.map(({ name }) => name);
  const faults: string[] = [];
  const urls: (readonly [place: string, url: string])[] = [];
  const found: string[] = [];
  const { sections, others } = sectionsOrOptions(content, names);
  const isFlat = Object.keys(sections).length === 0 && others.length > 0 && program !== undefined;
  if (!isFlat) for (const key of others) faults.push(noSection(path, key, names));
  for (const [name, values] of isFlat ? [[program, content] as const] : Object.entries(sections)) {
    if (program !== undefined && name !== program) continue;
    const schema = await programs.find((each) => each.name === name)?.schema();
    if (schema === undefined) throw new UsageError(`${name} is no program${didYouMean(name, names)}`);
    found.push(name);
    const place = isFlat ? path : `${path}: ${name}`;
    const placeOf = (key: string): string => (isFlat ? `${path}: ${key}` : `${place}.${key}`);
    faults.push(...faultsOf(values, schema, place, placeOf));
    for (const [key, value] of Object.entries(values))
      urls.push(...urlsIn(key, value).map((url) => [placeOf(key), url] as const));
  }
  const warnings = reach ? await unreachable(urls) : [];
  return { programs: found, faults, warnings };
}

function faultsOf(
  values: Readonly<Record<string, unknown>>,
  schema: z.ZodObject,
  place: string,
  placeOf: (key: string) => string,
): string[] {
  const fields = fieldsOf(schema);
  const known = fields.map(({ key }) => key);
  const isKnown = (key: string): boolean => known.includes(nameOf(key, fields));
  const unknown = Object.keys(values).filter((key) => !isKnown(key));
  const faults = unknown.map((key) => `${place}: unknown option "${key}"${didYouMean(key, known)}`);
  const given = Object.fromEntries(Object.entries(values).filter(([key]) => isKnown(key)));
  try {
    checkValues(schema, given, Object.fromEntries(Object.keys(given).map((key) => [key, placeOf(key)])));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // What the file leaves out, flags may give.
    faults.push(...error.message.split("\n").filter((line) => !/^\S+ is missing: /.test(line)));
  }
  return faults;
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return value.split(",").map((part) => part.trim());
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(textsIn);
  return [];
}

/** The URLs of an option: `URL`, `NAME=URL`, or after the @ of a function. */
function urlsIn(key: string, value: unknown): string[] {
  return textsIn(value).flatMap((text) => {
    const [found] = /https?:\/\/[^\s]+/.exec(text) ?? [];
    if (found !== undefined) return [found];
    if (!urlKeys.has(key) || text === "") return [];
    try {
      return [serverAddress(text.slice(text.indexOf("=") + 1))];
    } catch {
      return [];
    }
  });
}

/**
 * The URLs that a file with sections names, each with its place in it.
 *
 * @throws UsageError when the file cannot be read, or holds no map
 */
export function urlsInFile(
  path: string,
  names: readonly string[],
): (readonly [place: string, url: string])[] {
  const { sections } = sectionsOrOptions(readConfigMap(path), names);
  return Object.entries(sections).flatMap(([name, values]) =>
    Object.entries(values).flatMap(([key, value]) =>
      urlsIn(key, value).map((url) => [`${name}.${key}`, url] as const),
    ),
  );
}

async function unreachable(urls: readonly (readonly [place: string, url: string])[]): Promise<string[]> {
  const tried = new Map<string, Promise<string | undefined>>();
  const warnings = await Promise.all(
    urls.map(async ([place, url]) => {
      const why = tried.get(url) ?? whyUnreachable(url);
      tried.set(url, why);
      const text = await why;
      return text === undefined ? [] : [`${place}: ${withoutUser(url)} cannot be reached: ${text}`];
    }),
  );
  return warnings.flat();
}

/** A user and password in a URL are shown nowhere. */
export function withoutUser(text: string): string {
  return text.replaceAll(/\/\/[^/@\s]+@/g, "//(hidden)@");
}

async function whyUnreachable(text: string): Promise<string | undefined> {
  if (!URL.canParse(text)) return "it is no URL";
  const { protocol, hostname, port } = new URL(text);
  const socket = connect({
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port) || (protocol === "https:" ? 443 : 80),
    signal: AbortSignal.timeout(longestConnectMs),
  });
  try {
    await once(socket, "connect");
    return undefined;
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    return name === "AbortError"
      ? `no connection within ${longestConnectMs / 1_000} s`
      : (code ?? "no connection");
  } finally {
    socket.on("error", () => {});
    socket.destroy();
  }
}
