/** From what a file or a request says about a model to its settings; refusals name the place and what is allowed. */
import { z } from "zod";
import { didYouMean } from "../../base/edit-distance.ts";
import { type ModelConfig, modelConfig } from "./model-config.ts";

/**
 * The settings that a parsed document states, with defaults.
 *
 * @param place where it comes from, such as the path of the file; every message begins with it
 * @throws Error with a line for each fault
 */
export function readModelConfig(document: unknown, place: string): ModelConfig {
  const result = modelConfig.safeParse(document ?? {});
  if (result.success) return Object.freeze(result.data);
  throw new Error(result.error.issues.flatMap((issue) => faults(issue, document, place)).join("\n"));
}

function faults(issue: z.core.$ZodIssue, document: unknown, place: string): string[] {
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(key, place));
  if (issue.code === "custom") return [`${place}: ${[...issue.path, issue.message].join(": ")}`];
  const where = issue.path.length === 0 ? place : `${place}: ${issue.path.join(".")}`;
  const value = issue.path.reduce<unknown>(
    (within, key) => (within as Record<PropertyKey, unknown>)?.[key],
    document,
  );
  return [`${where} is ${JSON.stringify(value)}; ${allowed(issue)}`];
}

function unknownKey(key: string, place: string): string {
  return `${place}: unknown key "${key}"${didYouMean(key, Object.keys(modelConfig.shape))}`;
}

function allowed(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_small":
      return `allowed: ${issue.minimum} or more`;
    case "too_big":
      return `allowed: at most ${issue.maximum}`;
    case "invalid_type":
      return `allowed: ${issue.expected}`;
    case "invalid_value":
      return `allowed: ${issue.values.join(", ")}`;
    case "invalid_union":
      return `allowed: ${issue.errors.map(([first]) => (first === undefined ? "" : allowed(first).replace("allowed: ", ""))).join("; or ")}`;
    default:
      return issue.message;
  }
}
