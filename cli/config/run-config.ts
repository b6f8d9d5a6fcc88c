/** The command `config`: checks the configuration file of all programs, prints its schema, or shows what holds. */
import { existsSync } from "node:fs";
import { didYouMean } from "../../base/error-text.ts";
import { readConfigMap, sectionsOrOptions, usualConfigPath } from "../../base/program/config-file.ts";
import { UsageError } from "../../base/usage-error.ts";
import { checkConfig } from "./check-config.ts";
import type { ConfigOptions } from "./config-options.ts";
import { fileSchema, sectionSchema, type SectionedProgram } from "./config-schema.ts";
import { optionTable, type ShownOption, shownOptions } from "./show-config.ts";

/**
 * @param programs that have a section in the file
 * @param flags what followed `--`: flags of the program that is shown
 * @returns the exit status: 0 no faults, 2 faults
 */
export async function runConfig(
  options: ConfigOptions,
  programs: readonly SectionedProgram[],
  flags: readonly string[],
): Promise<number> {
  const { action, program } = options;
  const names = programs.map(({ name }) => name);
  if (program !== undefined && !names.includes(program))
    throw new UsageError(
      `PROGRAM is "${program}"; allowed: ${names.join(", ")}${didYouMean(program, names)}`,
    );
  if (flags.length > 0 && (action !== "show" || program === undefined))
    throw new UsageError("flags after -- go with config show PROGRAM");
  if (action === "schema") return printSchema(programs, program);
  return action === "check" ? check(options, programs) : show(options, programs, flags);
}

function print(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

async function printSchema(
  programs: readonly SectionedProgram[],
  program: string | undefined,
): Promise<number> {
  const chosen = programs.find(({ name }) => name === program);
  print(chosen === undefined ? await fileSchema(programs) : await sectionSchema(chosen));
  return 0;
}

async function check(
  { config: named, program, reach, json }: ConfigOptions,
  programs: readonly SectionedProgram[],
): Promise<number> {
  const config = named || usualConfigPath;
  const { programs: found, faults, warnings } = await checkConfig(config, programs, { program, reach });
  if (json) print({ file: config, programs: found, faults, warnings });
  else {
    for (const fault of faults) process.stderr.write(`${fault}\n`);
    for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
    const count = faults.length === 1 ? "1 fault" : `${faults.length === 0 ? "no" : faults.length} faults`;
    const of = found.length === 0 ? "options of no program" : `options of ${found.join(", ")}`;
    process.stdout.write(`${config}: ${of}; ${count}\n`);
  }
  return faults.length === 0 ? 0 : 2;
}

async function show(
  { config, program, json }: ConfigOptions,
  programs: readonly SectionedProgram[],
  flags: readonly string[],
): Promise<number> {
  // An empty name, as in the environment, is none.
  const path = config ?? (existsSync(usualConfigPath) ? usualConfigPath : undefined);
  const names = programs.map(({ name }) => name);
  const sections =
    path === undefined || path === "" ? {} : sectionsOrOptions(readConfigMap(path), names).sections;
  const chosen = program === undefined ? names.filter((name) => name in sections) : [program];
  if (chosen.length === 0) {
    const where =
      path === undefined ? `there is no ${usualConfigPath}` : `${path} has no section of a program`;
    throw new UsageError(`${where}; name one: spillway config show PROGRAM`);
  }
  const shown: [string, readonly ShownOption[]][] = [];
  for (const each of programs.filter(({ name }) => chosen.includes(name)))
    shown.push([each.name, await shownOptions(each, flags, config === "" ? undefined : config, names)]);
  if (json) print(Object.fromEntries(shown));
  else process.stdout.write(`${shown.map(([name, rows]) => optionTable(name, rows)).join("\n\n")}\n`);
  return 0;
}
