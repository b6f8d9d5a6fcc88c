/** Names of classes in the forms in which people keep them: lines, numbered lines, lists and maps. */
import { parse as parseYaml } from "yaml";

/** Most classes that a map may name by its highest number. */
const mostClasses = 1_000_000;

/**
 * The names in the order of the classes; "" for a number that has none. Forms: one name a line; `0 name`, `0,name`,
 * `0: name` or `name,0` on every line, in any order, with or without a head of the table; names in quotes; JSON or YAML of
 * a list, `{"0": "name"}`, `{"name": 0}`, or an object that has one of these under `names`, `id2label` or `label2id`.
 * Throws an Error when two lines have one number, or a map has no names.
 *
 * @example
 * parseLabels('0,"tench"\n1,"goldfish"\n', "labels.csv"); // ["tench", "goldfish"]
 */
export function parseLabels(text: string, file: string): string[] {
  const content = text.replace(/^\uFEFF/, "").trimEnd();
  if (/\.ya?ml$/i.test(file)) return namesOf(parseYaml(content), file);
  const document = /\.json$/i.test(file) ? JSON.parse(content) : jsonIn(content);
  return document === undefined ? namesOfLines(content.split(/\r?\n/), file) : namesOf(document, file);
}

function jsonIn(content: string): unknown {
  if (!/^\s*[[{]/.test(content)) return undefined;
  try {
    return JSON.parse(content);
  } catch {
    // A list of names may begin with a bracket.
    return undefined;
  }
}

function namesOfLines(lines: readonly string[], file: string): string[] {
  const [, ...rows] = lines;
  // A table has a head where all lines but the first are numbered.
  const numbered =
    numberedLines(lines) ?? (rows.length > 0 && hasHead(lines[0]) ? numberedLines(rows) : undefined);
  if (numbered !== undefined) return inOrder(numbered, file);
  return lines.every(isQuoted) ? lines.map(unquoted) : [...lines];
}

function hasHead(line: string | undefined): boolean {
  return line !== undefined && /^"?[a-z_ ]+"?[,;\t]"?[a-z_ ]+"?$/i.test(line);
}

type Numbered = readonly (readonly [index: number, name: string])[];

/** Only when every line has a number: "7 wood" alone may be a name. */
function numberedLines(lines: readonly string[]): Numbered | undefined {
  const filled = lines.filter((line) => line.trim() !== "");
  for (const read of [numberFirst, numberLast]) {
    const all = filled.map(read).filter((each) => each !== undefined);
    if (all.length > 0 && all.length === filled.length && countsClasses(all)) return all;
  }
  return undefined;
}

function numberFirst(line: string): Numbered[number] | undefined {
  const [, index, name] = /^\s*(\d+)(?:\s*[,;:=]\s*|\s+)(\S.*)$/.exec(line) ?? [];
  return name === undefined ? undefined : [Number(index), unquoted(name)];
}

function numberLast(line: string): Numbered[number] | undefined {
  const text = line.trimEnd();
  const at = Math.max(...[",", ";", "\t"].map((mark) => text.lastIndexOf(mark)));
  const [name, index] = [text.slice(0, Math.max(at, 0)).trimEnd(), text.slice(at + 1).trim()];
  return name !== "" && /^\d+$/.test(index) ? [Number(index), unquoted(name)] : undefined;
}

/** From 0 or 1, perhaps with gaps: "2 doors" and "4 doors" are names. */
function countsClasses(numbered: Numbered): boolean {
  const indices = numbered.map(([index]) => index);
  return Math.min(...indices) <= 1 && Math.max(...indices) <= 2 * numbered.length + 10;
}

function isQuoted(line: string): boolean {
  return /^\s*(?:".+"|'.+'),?\s*$/.test(line);
}

function unquoted(name: string): string {
  const [, double, single] = /^\s*(?:"(.+)"|'(.+)'),?\s*$/.exec(name) ?? [];
  return (double ?? single)?.replaceAll('""', '"') ?? name.trim();
}

function namesOf(document: unknown, file: string): string[] {
  if (Array.isArray(document)) return document.map(nameOf);
  if (typeof document !== "object" || document === null)
    throw new Error(`${file}: allowed: a list of names, or a map of numbers and names`);
  for (const key of ["names", "id2label", "label2id"]) {
    const inner = (document as Record<string, unknown>)[key];
    if (typeof inner === "object" && inner !== null) return namesOf(inner, file);
  }
  const entries = Object.entries(document);
  if (entries.every(([key]) => isNumber(key)))
    return inOrder(
      entries.map(([key, value]) => [Number(key), nameOf(value)] as const),
      file,
    );
  if (entries.every(([, value]) => isNumber(value)))
    return inOrder(
      entries.map(([key, value]) => [Number(value), key] as const),
      file,
    );
  throw new Error(`${file}: allowed: a list of names, or a map of numbers and names`);
}

function isNumber(value: unknown): boolean {
  return /^\d+$/.test(String(value));
}

/** ImageNet's usual index has [id, name]. */
function nameOf(value: unknown): string {
  return String(Array.isArray(value) ? value.at(-1) : value);
}

function inOrder(numbered: Numbered, file: string): string[] {
  const highest = Math.max(-1, ...numbered.map(([index]) => index));
  if (highest >= mostClasses) throw new Error(`${file}: class ${highest}; allowed: 0 to ${mostClasses - 1}`);
  const names = Array<string | undefined>(highest + 1).fill(undefined);
  for (const [index, name] of numbered) {
    if (names[index] !== undefined) throw new Error(`${file}: class ${index} is there twice`);
    names[index] = name;
  }
  return names.map((name) => name ?? "");
}
