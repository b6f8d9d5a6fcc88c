/**
 * What is wrong with a value by its zod schema, in the words of all our errors. The texts of zod say what type it got
 * (`expected number, received NaN`); a user wants to see what he wrote and which values there are.
 */
import { z } from "zod";
import { didYouMean, showValue } from "../error-text.ts";
import { allowedIn, type JsonSchema } from "./option-texts.ts";

export interface SchemaFault {
  /** Keys from the value that was checked down to the wrong one. */
  readonly path: readonly PropertyKey[];
  /** What follows the name of the place, such as `is "x"; allowed: a number, above 0, to 86400`. */
  readonly text: string;
}

/**
 * The faults of a value, in the order that zod finds them. The messages of own checks say what is allowed, or are whole
 * sentences with `allowed:` in them.
 *
 * @param value what was checked
 *
 * @example
 * const schema = z.strictObject({ slo: z.number().positive().max(60) });
 * schemaFaults(schema, { slo: "x" }, error.issues); // [{ path: ["slo"], text: 'is "x"; allowed: a number, above 0, to 60' }]
 */
export function schemaFaults(
  schema: z.ZodType,
  value: unknown,
  issues: readonly z.core.$ZodIssue[],
): SchemaFault[] {
  const described = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  return issues.flatMap((issue): SchemaFault[] => {
    const { path } = issue;
    const place = path.reduce<JsonSchema>(within, described);
    if (issue.code === "unrecognized_keys") {
      const known = keysOf(place);
      return issue.keys.map((key) => ({
        path,
        text: `has an unknown key "${key}"${didYouMean(key, known)}`,
      }));
    }
    if (issue.code === "invalid_key")
      return [
        {
          path: path.slice(0, -1),
          text: `has a key ${showValue(path.at(-1))}; allowed: ${issue.issues[0]?.message}`,
        },
      ];
    if (hasOwnText(issue) && issue.message.includes("allowed: ")) return [{ path, text: issue.message }];
    const allowed = hasOwnText(issue) ? issue.message : allowedIn(place);
    return [{ path, text: `is ${showValue(at(value, path))}; allowed: ${allowed ?? issue.message}` }];
  });
}

/** Whether the message of an issue is not one of zod's, which tell of types and ranges as the schema does. */
export function hasOwnText({ message }: z.core.$ZodIssue): boolean {
  return !/^(?:Invalid|Too small|Too big|Unrecognized|No matching)/.test(message);
}

/** Of several forms the first one that has the key counts. */
function within(schema: JsonSchema, key: PropertyKey): JsonSchema {
  const forms = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])] as readonly JsonSchema[];
  for (const { properties, items, additionalProperties } of forms) {
    const found = typeof key === "number" ? items : (properties?.[String(key)] ?? additionalProperties);
    if (typeof found === "object" && !Array.isArray(found)) return found;
  }
  return {};
}

function keysOf({ properties = {}, anyOf = [], oneOf = [] }: JsonSchema): string[] {
  const others = [...anyOf, ...oneOf] as readonly JsonSchema[];
  return [...new Set([...Object.keys(properties), ...others.flatMap(keysOf)])];
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (each, key) =>
      typeof each === "object" && each !== null ? (each as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}
