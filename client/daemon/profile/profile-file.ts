/** Reads and writes the files of profiles, and other files of JSON that commands write. */
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { whyUnreadable, whyUnwritable } from "../../../base/error-text.ts";
import { throwUsage, UsageError } from "../../../base/usage-error.ts";
import { parseProfile, type Profile } from "../../policies/profile.ts";

/** @throws UsageError that names the file */
export function readProfileFile(path: string): Profile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${path}: ${whyUnreadable(error)}`);
  }
  try {
    return parseProfile(text, path);
  } catch (error) {
    throwUsage(error);
  }
}

/**
 * Checks before the work that its result can be written.
 *
 * @throws UsageError that names the flag when no file can be made there
 */
export function checkFolder(flag: string, path: string | undefined): void {
  if (path === undefined) return;
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw new UsageError(`${flag}: ${path}: ${whyUnwritable(error)}`);
  }
}

/** @throws UsageError that names the flag when the file cannot be written */
export function writeJson(flag: string, path: string, content: object): void {
  try {
    writeFileSync(path, `${JSON.stringify(content, undefined, 1)}\n`);
  } catch (error) {
    throw new UsageError(`${flag}: ${path}: ${whyUnwritable(error)}`);
  }
}
