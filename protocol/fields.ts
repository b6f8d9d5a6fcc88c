/** JSON from strangers, parsed within bounds and read field by field. A null is as good as an absent field. */
import { Buffer, isUtf8 } from "node:buffer";
import { showValue } from "../base/error-text.ts";
import { ProtocolError } from "./errors.ts";
import type { Parameters } from "./tensor.ts";

/** The longest JSON text that is read or made: 64 MiB, which as parsed values may take ten times as much memory. */
export const maxJsonBytes = 64 * 2 ** 20;
/** The deepest nesting: a message has three levels around its data, and a shape has at most 32 dimensions. */
export const maxJsonDepth = 64;

export type JsonObject = Readonly<Record<string, unknown>>;

/** The value of JSON text in UTF-8. Throws only ProtocolError: 413 if too long, else 400; `what` names the text. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > maxJsonBytes) {
    throw new ProtocolError(
      `${what} has ${bytes.length} bytes of JSON; allowed: at most ${maxJsonBytes}; use binary data`,
      413,
    );
  }
  if (!isUtf8(bytes)) throw new ProtocolError(`${what} is not valid UTF-8`);
  checkDepth(bytes, what);
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  } catch (error) {
    throw new ProtocolError(`${what} is not valid JSON: ${(error as Error).message}`);
  }
}

/** Before parsing, because a few megabytes of brackets would become a hundred times that in nested arrays. */
function checkDepth(bytes: Uint8Array, what: string): void {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (isInString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) isInString = false;
    } else if (byte === 0x22) {
      isInString = true;
    } else if (byte === 0x5b || byte === 0x7b) {
      depth++;
      if (depth > maxJsonDepth)
        throw new ProtocolError(`${what} is nested more than ${maxJsonDepth} deep at byte ${at}`);
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    }
  }
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

/** A string of one character or more. */
export function readName(value: unknown, place: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw refusal(place, value, "a non-empty string");
}

/** An integer from min to max, both included. */
export function readInteger(value: unknown, place: string, min: number, max: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw refusal(place, value, `an integer from ${min} to ${max}`);
}

/** Name/value pairs; none if the field is absent. */
export function readParameters(value: unknown, place: string): Parameters {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(readObject(value, place)).map(([name, parameter]) => {
    if (typeof parameter === "string" || typeof parameter === "boolean") return [name, parameter] as const;
    if (typeof parameter === "number" && Number.isFinite(parameter)) return [name, parameter] as const;
    throw refusal(`${place}[${showValue(name)}]`, parameter, "a string, a finite number or a boolean");
  });
  // fromEntries defines own properties, so a parameter called __proto__ stays a parameter.
  return Object.fromEntries(entries);
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
