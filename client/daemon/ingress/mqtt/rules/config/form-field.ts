/** Fields of the rule file, each with the title and the sentence that a form shows. */
import type { z } from "zod";

/** The schema with a title and a description, which its JSON Schema keeps. */
export function formField<S extends z.ZodType>(schema: S, title: string, description: string): S {
  return schema.meta({ title, description });
}
