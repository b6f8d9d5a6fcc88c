/** Runs what a command line asks for: finds the command, reads its options and calls it. */
import { Command, CommanderError } from "commander";
import { version } from "../base/program/version.ts";
import { UsageError } from "../base/usage-error.ts";
import { commands, sectionedCommands } from "./commands.ts";

/** What commands of two words, such as `mqtt check`, have in common. */
const groupDescriptions: Readonly<Record<string, string>> = {
  mqtt: "messages of devices: checks and converts rules, and makes a load",
};

/**
 * Runs one command; a fault is told on stderr.
 *
 * @example
 * await runCommandLine(["detect", "--series", "rates.csv"]); // 0, when the change points are printed
 *
 * @param args what follows the program's name
 * @returns the exit status: 0 done, 1 a fault of the program, 2 bad usage or bad input
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitStatus = 0;
  const program = new Command("spillway")
    .description("Batches inference requests and decides for each batch: the edge, or a serverless function.")
    .version(version)
    .exitOverride()
    .showHelpAfterError("(--help lists all options)");
  // What follows `--` of `config` are the flags of another command.
  const end = args[0] === "config" ? args.indexOf("--") : -1;
  const [own, rest] = end === -1 ? [args, []] : [args.slice(0, end), args.slice(end + 1)];
  const asked = (args[0] === "help" ? args.slice(1) : args).slice(0, 2);
  const groups = new Map<string, Command>();
  for (const { name, aliases, description, schema, run } of commands) {
    for (const each of [name, ...aliases]) {
      const [word = "", inGroup] = each.split(" ");
      const parent = inGroup === undefined ? program : groupOf(word, program, groups);
      const command = parent.command(inGroup ?? word, { hidden: each !== name }).description(description);
      if (asked[0] !== word || (inGroup !== undefined && asked[1] !== inGroup)) continue;
      // Not before, because what only tells the commands or the version needs no schemas.
      const { addOptions, configFileOf, readOptions } = await import("../base/program/options.ts");
      const options = await schema();
      addOptions(command, options).action(async () => {
        const { refuseUnknownVariables } = await import("./unknown-variables.ts");
        await refuseUnknownVariables(process.env, options);
        const programs = { name, all: sectionedCommands().map((each) => each.name) };
        const read = readOptions(command, options, process.env, programs);
        exitStatus = await run(read, configFileOf(command, options, process.env, programs), rest);
      });
    }
  }
  try {
    await program.parseAsync(own, { from: "user" });
    return exitStatus;
  } catch (error) {
    // Commander has printed its message. It also ends --help and --version this way.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(
      `spillway: ${error instanceof UsageError ? error.message : (error as Error).stack}\n`,
    );
    return error instanceof UsageError ? 2 : 1;
  }
}

/** The command that stands before the second words of a group; it is made for the first of them. */
function groupOf(word: string, program: Command, groups: Map<string, Command>): Command {
  const known = groups.get(word);
  if (known !== undefined) return known;
  const group = program.command(word).description(groupDescriptions[word] ?? "");
  groups.set(word, group);
  return group;
}
