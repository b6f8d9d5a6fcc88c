/** The settings of a built-in handler from what config.yaml says; refusals name the setting and what is allowed. */
import type { z } from "zod";
import { didYouMean } from "../../../base/edit-distance.ts";

/** @throws Error with a line for each fault */
export function readSettings<S extends z.ZodObject>(schema: S, settings: unknown): z.output<S> {
  const result = schema.safeParse(settings);
  if (result.success) return result.data;
  const faults = result.error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [`settings.${issue.path.join(".")}: ${issue.message}`];
    const known = Object.keys(schema.shape);
    return issue.keys.map((key) => `settings: unknown key "${key}"${didYouMean(key, known)}`);
  });
  throw new Error(faults.join("\n"));
}
