/** Reads a fleet file: the commands to run, each with options that its own schema has checked. */
import { stringify } from "yaml";
import { z } from "zod";
import type { PlannedProgram } from "./start-program.ts";
import { didYouMean, shortened } from "../../base/error-text.ts";
import { readYamlFile } from "../../base/files.ts";
import { refuseUnknown } from "../../base/program/option-schema.ts";
import { checkValues } from "../../base/program/options.ts";
import { UsageError } from "../../base/usage-error.ts";

/** The commands that serve, by name: the options of each, and the path on which it says that it is ready. */
export type FleetCommands = Readonly<
  Record<string, { readonly schema: z.ZodObject; readonly readyPath: string }>
>;

function fleetOf(commands: FleetCommands) {
  const program = z.strictObject({
    command: z.enum(Object.keys(commands)),
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "a name has letters, digits, - and _")
      .optional(),
    options: z.record(z.string(), z.unknown()).default({}),
  });
  return z.strictObject({ programs: z.array(program).min(1) });
}

/** @throws UsageError that names the file and the place in it */
export function readFleetFile(path: string, commands: FleetCommands): PlannedProgram[] {
  const result = fleetOf(commands).safeParse(readYamlFile(path), { reportInput: true });
  if (!result.success) {
    const problems = result.error.issues.map((issue) => {
      const place = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
      if (issue.code !== "invalid_value" || issue.path.at(-1) !== "command")
        return `${path}: ${place}${issue.message}`;
      const known = Object.keys(commands);
      const given = String(issue.input);
      return `${path}: ${place}"${shortened(given)}" is no command of a fleet; allowed: ${known.join(", ")}${didYouMean(given, known)}`;
    });
    throw new UsageError(problems.join("\n"));
  }
  const planned = result.data.programs.map(({ command, name = command, options }, index) =>
    planOf(
      { command, ...(commands[command] as FleetCommands[string]) },
      name,
      options,
      `${path}: programs.${index}`,
    ),
  );
  for (const [index, { name }] of planned.entries()) {
    if (planned.findIndex((other) => other.name === name) === index) continue;
    throw new UsageError(`${path}: programs.${index}: the name "${name}" is taken; give it another name`);
  }
  refusePortClash(planned, path);
  return planned;
}

/** Two programs on one port of one host: the second could not listen, which would show once the first is up. */
function refusePortClash(planned: readonly PlannedProgram[], path: string): void {
  for (const [index, program] of planned.entries()) {
    const other = planned
      .slice(0, index)
      .find((each) => each.port === program.port && overlap(each, program));
    if (other === undefined) continue;
    throw new UsageError(
      `${path}: programs.${index}: ${program.name} and ${other.name} both have port ${program.port}; give one another port`,
    );
  }
}

function overlap(a: PlannedProgram, b: PlannedProgram): boolean {
  return a.host === b.host || [a.host, b.host].some((host) => host === "0.0.0.0" || host === "::");
}

function planOf(
  { command, schema, readyPath }: FleetCommands[string] & { readonly command: string },
  name: string,
  options: Readonly<Record<string, unknown>>,
  place: string,
): PlannedProgram {
  refuseUnknown(Object.keys(options), schema, `${place}.options`);
  const places = Object.fromEntries(Object.keys(options).map((key) => [key, `${place}.options.${key}`]));
  const { host, port } = checkValues(schema, options, places) as { host: string; port: number };
  if (port === 0) {
    throw new UsageError(
      `${place}.options.port is 0; allowed: 1 to 65535, so that other programs can be given it`,
    );
  }
  return { name, command, optionsText: stringify(options), host, port, readyPath };
}
