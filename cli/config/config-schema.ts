/** The JSON Schema of `spillway.yaml`, made from the options of all programs, for editors and panels. */
import { z } from "zod";
import { metaKeys } from "../../base/program/option-schema.ts";

/** A program with a section. */
export interface SectionedProgram {
  readonly name: string;
  readonly description: string;
  readonly schema: () => Promise<z.ZodObject>;
}

type Json = Record<string, unknown>;

/** The schema of the whole file. */
export async function fileSchema(programs: readonly SectionedProgram[]): Promise<Json> {
  const sections = await Promise.all(
    programs.map(async (program): Promise<[string, Json]> => {
      const { type, properties, additionalProperties } = await sectionSchema(program);
      const section = { type: [type, "null"], properties, additionalProperties };
      return [program.name, { description: sentence(program.description), ...section }];
    }),
  );
  return {
    $schema: draft,
    title: "spillway.yaml",
    description:
      "Options of the programs of Spillway, by program. Flags and environment variables come before them.",
    type: "object",
    properties: Object.fromEntries(sections),
    additionalProperties: false,
  };
}

/** The schema of a file with the options of one program. */
export async function sectionSchema({ name, description, schema }: SectionedProgram): Promise<Json> {
  const { properties = {} } = z.toJSONSchema(await schema(), { io: "input", target: "draft-7" });
  return {
    $schema: draft,
    title: `spillway ${name}`,
    description: sentence(description),
    type: "object",
    properties: Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [key, fieldSchema(value as Json)]),
    ),
    additionalProperties: false,
  };
}

const draft = "http://json-schema.org/draft-07/schema#";

/** A list may also be a text with commas between, and false where `--no-` stands for an empty one. */
function fieldSchema(field: Json): Json {
  const own = Object.fromEntries(Object.entries(field).filter(([key]) => !metaKeys.has(key)));
  if (field["type"] !== "array") return own;
  const { description, default: value, ...list } = own;
  const none = field["none"] === undefined ? [] : [{ const: false }];
  const about = {
    ...(description !== undefined && { description }),
    ...(value !== undefined && { default: value }),
  };
  return { ...about, anyOf: [list, { type: "string" }, ...none] };
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase()}${text.slice(1)}.`;
}
