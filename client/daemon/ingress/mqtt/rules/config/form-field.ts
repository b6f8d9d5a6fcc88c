/** Fields of the rule file, each with the title and the sentence that a form shows. */
import { z } from "zod";

/** The schema with a title and a description, which its JSON Schema keeps. */
export function formField<S extends z.ZodType>(schema: S, title: string, description: string): S {
  return schema.meta({ title, description });
}

/** Those that begin with SPILLWAY_ set options of programs, so that one that is none is taken for a mistake. */
export const secretVariable = z
  .string()
  .regex(
    /^(?!SPILLWAY_)[A-Za-z_][A-Za-z0-9_]*$/,
    "allowed: the name of an environment variable that does not begin with SPILLWAY_",
  );

/** A name of brokers and rules. The pattern is one that every program with a JSON Schema understands. */
export const plainName = z
  .string()
  .regex(
    /^[^\s!"#$%&'*+,/:;<=>?@[\\\]^`{|}~]{1,64}$/,
    "allowed: 1 to 64 letters of any language, digits, _, . and -",
  );
