/** The function as a program of its own, for the package that is deployed: a cold start loads all that is imported. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { logOptions } from "../../base/program/log-options.ts";
import { addOptions, readOptions } from "../../base/program/options.ts";
import { UsageError } from "../../base/usage-error.ts";
import { functionOptions } from "./options.ts";
import { runFunction } from "./run-function.ts";

const schema = functionOptions.extend(logOptions.shape);
const packedModels = fileURLToPath(new URL("models", import.meta.url));
const packed = existsSync(packedModels) ? { SPILLWAY_MODELS: packedModels } : {};

const command = addOptions(new Command("function"), schema).parse();
try {
  process.exit(await runFunction(readOptions(command, schema, { ...packed, ...process.env })));
} catch (error) {
  process.stderr.write(`function: ${error instanceof UsageError ? error.message : (error as Error).stack}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}
