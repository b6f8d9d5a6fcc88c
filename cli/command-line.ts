/** Runs what a command line asks for: finds the command, reads its options and calls it. */
import { Command, CommanderError } from "commander";
import { addOptions, configFileOf, environmentNames, readOptions } from "../base/program/options.ts";
import { version } from "../base/program/version.ts";
import { UsageError } from "../base/usage-error.ts";
import { commands } from "./commands.ts";
import { refuseUnknownVariables } from "./unknown-variables.ts";

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
  const asked = args[0] === "help" ? args[1] : args[0];
  for (const { name, aliases, description, schema, run } of commands) {
    for (const each of [name, ...aliases]) {
      const command = program.command(each, { hidden: each !== name }).description(description);
      if (each !== asked) continue;
      const options = await schema();
      addOptions(command, options).action(async () => {
        await refuseUnknownVariables(process.env, environmentNames(options));
        const read = readOptions(command, options, process.env);
        exitStatus = await run(read, configFileOf(command, options, process.env));
      });
    }
  }
  try {
    await program.parseAsync(args, { from: "user" });
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
