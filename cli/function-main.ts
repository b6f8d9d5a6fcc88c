/**
 * The function as an executable of its own, for the package that is deployed: without the other commands, because the
 * cold start of a function pays for every module. Models that were packed beside this file are its default.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { functionOptions } from "../serverless/host/options.ts";
import { runFunction } from "./function.ts";
import { logOptions } from "./log.ts";
import { addOptions, readOptions, UsageError } from "./options.ts";

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
