/** The options of `config`, each with its meaning and default. */
import { z } from "zod";
import { flag, optionalText } from "../../base/program/option-fields.ts";

export const configOptions = z.strictObject({
  action: z
    .enum(["check", "schema", "show"])
    .describe(
      "check: names every unknown key and value that is not allowed, and warns of URLs that cannot be reached;" +
        " schema: prints the JSON Schema of the file; show: prints what holds, and where each value was given",
    )
    .meta({ argument: "ACTION" }),
  program: optionalText
    .describe(
      "program that is meant; with show, its flags may follow after -- (default: all that the file has; for a file without" +
        " sections one is needed)",
    )
    .meta({ argument: "PROGRAM" }),
  config: z.string().optional().describe("YAML file (default: spillway.yaml, where it is there)"),
  reach: z
    .boolean()
    .default(true)
    .describe("with check: try to connect to every URL; false: do not connect to the URLs of the file"),
  json: flag.describe("print one JSON document on stdout"),
});

export type ConfigOptions = z.output<typeof configOptions>;
