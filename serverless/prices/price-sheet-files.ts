/** Reads price sheets from files: those that come with the program by name, a user's own by path. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { PriceSheet } from "./price.ts";
import { readTextFile } from "../../base/files.ts";
import { checkPriceSheet, validityProblem } from "./price-sheet.ts";
import { UsageError } from "../../base/usage-error.ts";

const folder = new URL("../../../serverless/prices/", import.meta.url);

/**
 * A sheet by its name, such as `alibaba-fc-cn-2026`, or by a path that ends in `.json`. Warns on stderr when it is not
 * valid today. Throws a UsageError when there is no such sheet, or the file does not hold one.
 */
export function readPriceSheet(nameOrPath: string): PriceSheet {
  const sheet = readSheetFile(nameOrPath);
  const problem = validityProblem(sheet, new Date().toISOString().slice(0, 10));
  if (problem !== undefined) process.stderr.write(`spillway: ${problem}\n`);
  return sheet;
}

/** The sheets that come with the program, by name. */
export function readShippedSheets(): PriceSheet[] {
  return shippedNames().map(readSheetFile);
}

function readSheetFile(nameOrPath: string): PriceSheet {
  const isPath = nameOrPath.endsWith(".json");
  const path = isPath ? nameOrPath : new URL(`${nameOrPath}.json`, folder);
  if (!isPath && !existsSync(path)) {
    throw new UsageError(
      `no price sheet "${nameOrPath}"; allowed: ${shippedNames().join(", ")}, or the path of a .json file`,
    );
  }
  const text = isPath ? readTextFile(nameOrPath) : readFileSync(path, "utf8");
  try {
    return checkPriceSheet(JSON.parse(text), nameOrPath);
  } catch (error) {
    const { message } = error as Error;
    throw new UsageError(error instanceof SyntaxError ? `${nameOrPath}: not JSON: ${message}` : message);
  }
}

function shippedNames(): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  return files.map((file) => file.slice(0, -".json".length)).sort();
}
