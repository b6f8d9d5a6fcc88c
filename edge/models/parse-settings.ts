/** Checks settings that somebody wrote by a zod schema; refusals name the place, the value and what is allowed. */
import { z } from "zod";
import { didYouMean } from "../../base/error-text.ts";

/** With defaults. Throws an Error with a line for each fault: `config.yaml: replicas is 0; allowed: 1 or more`. */
export function parseSettings<S extends z.ZodObject>(
  schema: S,
  document: unknown,
  place: string,
): z.output<S> {
  const result = schema.safeParse(document ?? {}, { reportInput: true });
  if (result.success) return result.data;
  const faults = result.error.issues.flatMap((issue) => {
    if (issue.code === "custom") return [`${place}: ${[...issue.path, issue.message].join(": ")}`];
    if (issue.code === "unrecognized_keys") {
      const known = Object.keys(schema.shape);
      return issue.keys.map((key) => `${place}: unknown key "${key}"${didYouMean(key, known)}`);
    }
    const where = issue.path.length === 0 ? place : `${place}: ${issue.path.join(".")}`;
    return [`${where} is ${JSON.stringify(issue.input) ?? "missing"}; ${allowed(issue)}`];
  });
  throw new Error(faults.join("\n"));
}

/** Checks with a message of their own say what is allowed there. */
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
    case "invalid_union": {
      const each = issue.errors.flatMap(([first]) => (first === undefined ? [] : [allowed(first)]));
      return `allowed: ${each.map((text) => text.replace("allowed: ", "")).join("; or ")}`;
    }
    default:
      return issue.message;
  }
}
