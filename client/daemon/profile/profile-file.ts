/** Reads and writes the files of profiles, and other files of JSON that commands write. */
import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { whyUnwritable } from "../../../base/error-text.ts";
import { readTextFile, writeTextFile } from "../../../base/files.ts";
import { UsageError } from "../../../base/usage-error.ts";
import { parseProfile, type Profile } from "../../policies/profile.ts";

/** @throws UsageError that names the place, such as `--profile: p.json` */
export function readProfileFile(path: string, place = path): Profile {
  return parseProfile(readTextFile(path, place), place);
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
  writeTextFile(path, `${JSON.stringify(content, undefined, 1)}\n`, `${flag}: ${path}`);
}
