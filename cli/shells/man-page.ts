/** The man page of the program, in the language of man (roff), from the options of its commands. */
import type { DescribedCommand } from "./described-commands.ts";

/** Text for roff: a backslash and a dot or quote at the start of a line have a meaning of their own. */
function roff(text: string): string {
  return text
    .replaceAll("\\", String.raw`\e`)
    .replaceAll("-", String.raw`\-`)
    .replaceAll(/^[.']/gm, String.raw`\&$&`);
}

/**
 * @param version of the program
 * @param date in the form of 2026-12-31
 *
 * @example
 * manPage(await describeCommands(commands), "1.2.0", "2026-12-31"); // '.TH SPILLWAY 1 "2026-12-31" …'
 */
export function manPage(commands: readonly DescribedCommand[], version: string, date: string): string {
  const lines = [
    `.TH SPILLWAY 1 "${date}" "spillway ${roff(version)}" "User Commands"`,
    ".SH NAME",
    String.raw`spillway \- batches inference requests and decides for each batch: the edge, or a serverless function`,
    ".SH SYNOPSIS",
    ".B spillway",
    String.raw`.I COMMAND`,
    ".RI [ options ]",
    ".SH DESCRIPTION",
    roff(
      "A queue on the side of the client, in front of model servers at the edge and of serverless functions, with all around it.",
    ),
    roff(
      "Every option --some-name is also the environment variable SPILLWAY_SOME_NAME, and someName: in the file of options; ",
    ),
    roff("a flag comes before the environment, that before the file, that before the default."),
    ".SH COMMANDS",
    ...commands.flatMap(({ name, description }) => [".TP", `.B ${roff(name)}`, roff(description)]),
    ...commands.flatMap(optionsOf),
    ".SH FILES",
    ".TP",
    ".I spillway.yaml",
    roff("options of all programs, with a section for each; --config or SPILLWAY_CONFIG names another file"),
    ".TP",
    ".I ~/.local/state/spillway/admin\\-token",
    roff("who has it may administer; --state or SPILLWAY_STATE names another folder"),
    ".SH EXIT STATUS",
    roff("0: done. 1: a fault of the program. 2: wrong usage or input. 130: a second signal ended it."),
  ];
  return `${lines.join("\n")}\n`;
}

function optionsOf({ name, options, places }: DescribedCommand): string[] {
  const given = places.map((place) => ` [${place.name}]`).join("");
  return [
    `.SH "OPTIONS OF ${roff(name.toUpperCase())}"`,
    `.B spillway ${roff(name)}`,
    `.RI [ options ]${roff(given)}`,
    ...options.flatMap((option) => {
      const value = option.value === undefined ? "" : ` \\fI${roff(option.value)}\\fR`;
      const choices = option.choices.length > 0 ? ` One of: ${option.choices.join(", ")}.` : "";
      const names = option.names.map((each) => `\\fB${roff(each)}\\fR`).join(", ");
      return [".TP", `${names}${value}`, roff(`${option.description}${choices}`)];
    }),
  ];
}
