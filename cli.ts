#!/usr/bin/env node
/**
 * The one executable: finds the command, reads its options and runs it.
 */
import { Command, CommanderError } from "commander";
import { addOptions, readOptions } from "./base/program/options.ts";
import { UsageError } from "./base/usage-error.ts";
import { commands } from "./cli/commands.ts";
import { version } from "./base/program/version.ts";

const program = new Command("spillway")
  .description("Batches inference requests and decides for each batch: the edge, or a serverless function.")
  .version(version)
  .exitOverride()
  .showHelpAfterError("(--help lists all options)");

let exitStatus = 0;
for (const { name, aliases, description, schema, run } of commands) {
  for (const each of [name, ...aliases]) {
    const command = program.command(each, { hidden: each !== name }).description(description);
    addOptions(command, schema).action(async () => {
      exitStatus = await run(readOptions(command, schema, process.env));
    });
  }
}

// Without this, an open channel to a parent would keep the process alive.
process.exit(await main());

/** Exit status: 0 done, 1 a fault of the program, 2 bad usage or bad input. */
async function main(): Promise<number> {
  try {
    await program.parseAsync();
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
