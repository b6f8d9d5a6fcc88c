/** JSON from strangers, parsed within bounds and read field by field. A null is as good as an absent field. */
import { Buffer, isUtf8 } from "node:buffer";
import { shortened, showValue } from "../base/error-text.ts";
import { ProtocolError } from "./errors.ts";
import { parseExactJson } from "./exact-json.ts";
import { scanJson } from "./scan-json.ts";
import type { ParameterValue, Parameters } from "./tensor.ts";

/** The longest JSON text that is read or made: 64 MiB, which as parsed values may take ten times as much memory. */
export const maxJsonBytes = 64 * 2 ** 20;

export type JsonObject = Readonly<Record<string, unknown>>;

export interface ParseOptions {
  /** Whether NaN, Infinity and -Infinity are read, which JSON does not have but some servers print. Default: no. */
  readonly nonFinite?: boolean;
  /** A message may have any number of values in the data of its tensors, and fewer elsewhere. Default: plain. */
  readonly kind?: "plain" | "message";
}

/**
 * The value of JSON text in UTF-8; integers that a number cannot state are bigints. Throws only ProtocolError: 413 if the
 * text is too long or has too many values, else 400; `what` names the text.
 */
export function parseJson(
  bytes: Uint8Array,
  what: string,
  { nonFinite = false, kind = "plain" }: ParseOptions = {},
): unknown {
  if (bytes.length > maxJsonBytes) {
    throw new ProtocolError(
      `${what} has ${bytes.length} bytes of JSON; allowed: at most ${maxJsonBytes}; use binary data`,
      413,
    );
  }
  if (!isUtf8(bytes)) throw new ProtocolError(`${what} is not valid UTF-8`);
  const { hasLongInteger, nonFiniteAt } = scanJson(bytes, what, kind);
  const isExact = hasLongInteger || nonFiniteAt !== undefined;
  let value: unknown;
  try {
    const text = textOf(bytes);
    value = isExact ? parseExactJson(text) : JSON.parse(text);
  } catch (error) {
    throw new ProtocolError(`${what} is not valid JSON: ${shortened((error as Error).message)}`);
  }
  if (nonFinite || nonFiniteAt === undefined) return value;
  const [token] = /^(NaN|Infinity)/.exec(textOf(bytes.subarray(nonFiniteAt, nonFiniteAt + 8))) ?? ["NaN"];
  throw new ProtocolError(
    `${what} is not valid JSON: ${token} at byte ${nonFiniteAt}; JSON has no NaN and no infinities, ` +
      "so send that tensor as binary data (parameters.binary_data_size)",
  );
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

export function readObject(value: unknown, place: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw refusal(place, value, "an object");
}

export function readArray(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw refusal(place, value, "an array");
}

export function readText(value: unknown, place: string): string {
  if (typeof value === "string") return value;
  throw refusal(place, value, "a string");
}

export function readOptionalText(value: unknown, place: string): string | undefined {
  return value === undefined || value === null ? undefined : readText(value, place);
}

/** Most characters of the name of a model, a tensor or a parameter. */
export const longestName = 1_024;

/** A string of 1 to 1024 characters. */
export function readName(value: unknown, place: string): string {
  if (typeof value !== "string" || value === "") throw refusal(place, value, "a non-empty string");
  if (value.length > longestName) throw refusal(place, value, `at most ${longestName} characters`);
  return value;
}

/** An integer from min to max, both included. */
export function readInteger(value: unknown, place: string, min: number, max: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw refusal(place, value, `an integer from ${min} to ${max}`);
}

/**
 * Name/value pairs; none if the field is absent. A parameter that is null is absent, too. A list or an object is a
 * ProtocolError, or left out when `isLenient`.
 */
export function readParameters(value: unknown, place: string, isLenient = false): Parameters {
  if (value === undefined || value === null) return {};
  if (isLenient && (typeof value !== "object" || Array.isArray(value))) return {};
  const object = readObject(value, place);
  const parameters: Parameters = {};
  for (const name of Object.keys(object)) {
    const parameter = object[name];
    if (isParameter(parameter)) setParameter(parameters, name, plain(parameter));
    else if (parameter !== null && !isLenient)
      throw refusal(`${place}[${showValue(name)}]`, parameter, "a string, a finite number or a boolean");
  }
  return parameters;
}

/** Also one called `__proto__`, which would be no parameter if it were just assigned. */
function setParameter(parameters: Parameters, name: string, value: ParameterValue): void {
  if (name !== "__proto__") parameters[name] = value;
  else
    Object.defineProperty(parameters, name, { value, enumerable: true, configurable: true, writable: true });
}

function isParameter(value: unknown): value is ParameterValue {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "string" || typeof value === "boolean" || typeof value === "bigint";
}

/** A number instead of a bigint where it states the same integer. */
function plain(parameter: ParameterValue): ParameterValue {
  return typeof parameter === "bigint" && BigInt(Number(parameter)) === parameter
    ? Number(parameter)
    : parameter;
}

/** Checks a parameter that must be a boolean if it is there at all. */
export function checkFlag(parameters: Parameters, name: string, place: string): void {
  const value = parameters[name];
  if (value !== undefined && typeof value !== "boolean")
    throw refusal(`${place}.${name}`, value, "true or false");
}

function refusal(place: string, value: unknown, allowed: string): ProtocolError {
  return new ProtocolError(`${place} is ${showValue(value)}; allowed: ${allowed}`);
}
