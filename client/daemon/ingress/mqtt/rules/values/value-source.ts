/** Where the values of an input come from, and how each becomes a number or a text. */
import { showValue } from "../../../../../../base/error-text.ts";
import { allowedValues, type Datatype } from "../../../../../../protocol/datatype.ts";
import type { ValueSource } from "../config/input-fields.ts";
import { checkUses, parseCel } from "../view/cel.ts";
import { MessageError } from "../view/message-error.ts";
import type { MessageView } from "../view/message-view.ts";
import { parsePath } from "../view/value-path.ts";

/** Texts for BYTES, numbers and booleans for all else. */
export type InputValue = number | bigint | boolean | string;

/** Adds the values of a source to a list: one, or those of a list. @throws MessageError */
export type AddValues = (values: InputValue[], view: MessageView) => void;

type SourceObject = Exclude<ValueSource, string>;

const decimal = /^\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*$/;
const integer = /^\s*[+-]?[0-9]{1,40}\s*$/;
/** Longest text of a number. */
const mostNumberChars = 100;
/** Deepest nesting of a list whose values are taken. */
const mostDepth = 32;

/**
 * @param roots the names with which paths may begin
 * @throws Error that says what is wrong with the source
 */
export function compileSource(given: ValueSource, datatype: Datatype, roots: readonly string[]): AddValues {
  const source: SourceObject = typeof given === "string" ? { path: given, text: false } : given;
  const { text, get } = getterOf(source, roots);
  const isNumber = datatype !== "BYTES" && datatype !== "BOOL";
  if (!isNumber && (source.text || source.scale !== undefined || source.offset !== undefined))
    throw new Error(`allowed with ${datatype}: path or cel, and default`);
  checkDefault(source, datatype);
  const convert = (value: unknown): InputValue =>
    isNumber ? numberOf(value, source, text) : plainOf(value, source, text, datatype);
  return (values, view) => addAll(values, get(view), convert, text, 0);
}

function getterOf(
  { path, cel }: SourceObject,
  roots: readonly string[],
): { readonly text: string; readonly get: (view: MessageView) => unknown } {
  if (path !== undefined && cel === undefined) {
    const parsed = parsePath(path, roots);
    return { text: path, get: (view) => parsed.find(view as unknown as Record<string, unknown>) };
  }
  if (cel === undefined || path !== undefined) throw new Error("allowed: one of path and cel");
  const expression = parseCel(cel);
  checkUses(expression, roots);
  return { text: cel, get: (view) => expression.evaluate(view) };
}

function checkDefault({ default: value }: SourceObject, datatype: Datatype): void {
  const fits =
    datatype === "BYTES" ? typeof value === "string" : datatype !== "BOOL" || typeof value !== "string";
  const isText = datatype !== "BYTES" && typeof value === "string";
  if (value !== undefined && (!fits || isText || (datatype !== "BOOL" && typeof value === "boolean")))
    throw new Error(`has the default ${showValue(value)}; allowed: ${allowedValues(datatype)}`);
}

function addAll(
  values: InputValue[],
  found: unknown,
  convert: (value: unknown) => InputValue,
  text: string,
  depth: number,
): void {
  if (!Array.isArray(found)) {
    values.push(convert(found));
    return;
  }
  if (depth === mostDepth)
    throw new MessageError("wrong_type", `${text} is a list of more than ${mostDepth} dimensions`);
  for (const each of found) addAll(values, each, convert, text, depth + 1);
}

/** NaN and the infinities are what devices send for a sensor without a value. */
function isMissing(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "number" && !Number.isFinite(value));
}

function numberOf(value: unknown, source: SourceObject, text: string): number | bigint {
  if (isMissing(value)) return defaultOf(value, source, text) as number;
  const mapped = mappedOf(value, source);
  const number = mapped ?? plainNumber(value, source);
  if (number === undefined) {
    const words = source.map === undefined ? [] : Object.keys(source.map);
    const allowed = ["a number", ...(source.text ? ["a number as a text"] : []), ...words].join(", ");
    const isNumberText = typeof value === "string" && decimal.test(value.slice(0, mostNumberChars));
    const hint = !source.text && isNumberText ? "; with text: true numbers as texts are taken" : "";
    throw new MessageError("wrong_type", `${text} is ${showValue(value)}; allowed: ${allowed}${hint}`);
  }
  const { scale, offset, min, max } = source;
  const result =
    scale === undefined && offset === undefined ? number : Number(number) * (scale ?? 1) + (offset ?? 0);
  if ((min !== undefined && result < min) || (max !== undefined && result > max))
    throw new MessageError(
      "out_of_range",
      `${text} is ${showValue(result)}; allowed: ${min ?? "any"} to ${max ?? "any"}`,
    );
  return result;
}

function mappedOf(value: unknown, { map }: SourceObject): number | undefined {
  if (map === undefined || (typeof value !== "string" && typeof value !== "boolean")) return undefined;
  const word = String(value);
  return Object.hasOwn(map, word) ? map[word] : undefined;
}

function plainNumber(value: unknown, { text: takesText }: SourceObject): number | bigint | undefined {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (!takesText || typeof value !== "string" || value.length > mostNumberChars) return undefined;
  if (!decimal.test(value)) return undefined;
  const number = Number(value);
  if (Number.isSafeInteger(number) || !integer.test(value))
    return Number.isFinite(number) ? number : undefined;
  return BigInt(value.trim().replace(/^\+/, ""));
}

function plainOf(value: unknown, source: SourceObject, text: string, datatype: Datatype): InputValue {
  if (isMissing(value)) return defaultOf(value, source, text);
  if (datatype === "BYTES") {
    if (typeof value === "string") return value;
    throw new MessageError("wrong_type", `${text} is ${showValue(value)}; allowed: a text`);
  }
  const mapped = mappedOf(value, source) ?? value;
  if (typeof mapped === "boolean" || mapped === 0 || mapped === 1) return mapped;
  throw new MessageError("wrong_type", `${text} is ${showValue(value)}; allowed: ${allowedValues(datatype)}`);
}

function defaultOf(value: unknown, source: SourceObject, text: string): InputValue {
  if (source.default !== undefined) return source.default;
  const what = value === undefined ? "is missing" : `is ${showValue(value)}`;
  throw new MessageError("missing_point", `${text} ${what}`);
}
