/** The command `completion`: prints what makes a shell complete the command line. */
import type { ListedCommand } from "../commands.ts";
import type { CompletionOptions } from "./completion-options.ts";
import { completionScript } from "./completion.ts";
import { describeCommands } from "./described-commands.ts";

export async function runCompletion(
  { shell }: CompletionOptions,
  commands: readonly ListedCommand[],
): Promise<number> {
  process.stdout.write(completionScript(shell, await describeCommands(commands)));
  return 0;
}
