// Reading typed fields out of parsed JSON, each refusal naming the place, the value and what is allowed. Apart, so that
// decoders read like the schema they check. A null counts as absent where a field is optional: several clients write it.

import { ProtocolError } from "./errors.ts";
import type { Parameters } from "./parameters.ts";
import { showValue } from "../base/error-text.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export function readObject(value: unknown, place: string): JsonObject {
  if (isObject(value)) return value;
  throw refusal(place, value, "an object");
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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
    if (
      typeof parameter === "string" ||
      typeof parameter === "boolean" ||
      (typeof parameter === "number" && Number.isFinite(parameter))
    ) {
      return [name, parameter] as const;
    }
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
  return new ProtocolError(`${place} is ${showValue(value)}; allowed is ${allowed}`);
}
