/** What holds for a program, and where each value was given. Secrets are not shown. */
import { Command } from "commander";
import { inColumns } from "../../base/columns.ts";
import type { Programs } from "../../base/program/config-file.ts";
import { fieldsOf, secretKey } from "../../base/program/option-schema.ts";
import { addOptions, checkValues, givenOptions, type OptionSource } from "../../base/program/options.ts";
import { withoutUser } from "./check-config.ts";
import type { SectionedProgram } from "./config-schema.ts";

export interface ShownOption {
  readonly key: string;
  /** Null: there is none. */
  readonly value: unknown;
  readonly source: OptionSource;
  /** Such as `--slo`, `SPILLWAY_SLO` or `spillway.yaml: vqueue.slo`; left out for a default. */
  readonly place?: string;
}

const hidden = "(hidden)";

/**
 * @param flags of the program
 * @param config as `--config` of the program; undefined: it looks for itself
 * @throws UsageError when a value is not allowed or a key is unknown
 */
export async function shownOptions(
  { name, schema }: SectionedProgram,
  flags: readonly string[],
  config: string | undefined,
  all: Programs["all"],
): Promise<readonly ShownOption[]> {
  const options = await schema();
  const command = addOptions(new Command(name), options).exitOverride();
  command.action(() => {});
  command.parse([...(config === undefined ? [] : ["--config", config]), ...flags], { from: "user" });
  const { values, places, sources } = givenOptions(command, options, process.env, { name, all });
  checkGiven();
  return fieldsOf(options).map(({ key, schema: field }) => {
    const source = sources[key] ?? "default";
    const value = source === "default" ? (field.default ?? null) : values[key];
    const shown = field[secretKey] === true && source !== "default" ? hidden : masked(value);
    const place = places[key];
    return place === undefined ? { key, value: shown, source } : { key, value: shown, source, place };
  });

  /** Options that are missing are no fault of what was given. */
  function checkGiven(): void {
    try {
      checkValues(options, values, places);
    } catch (error) {
      const lines = (error as Error).message.split("\n");
      if (lines.some((line) => !/^\S+ is missing: /.test(line))) throw error;
    }
  }
}

/** Without passwords in URLs, and without what programs get in their environment. */
function masked(value: unknown, key = ""): unknown {
  if (key === "env") return hidden;
  if (typeof value === "string") return withoutUser(value);
  if (Array.isArray(value)) return value.map((item: unknown) => masked(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, masked(item, name)]));
}

/** A table for people. */
export function optionTable(program: string, options: readonly ShownOption[]): string {
  const rows = options.map(({ key, value, source, place }) => [
    key,
    value === null ? "-" : value === hidden ? hidden : JSON.stringify(value),
    place === undefined ? source : `${source}: ${place}`,
  ]);
  return `${program}\n${inColumns(rows)}`;
}
