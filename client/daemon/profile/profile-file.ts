/** Reads and writes the files of profiles, and other files of JSON that commands write. */
import { readTextFile } from "../../../base/files.ts";
import { writeTextFile } from "../../../base/output-file.ts";
import { parseProfile, type Profile } from "../../policies/profile.ts";

/** @throws UsageError that names the place, such as `--profile: p.json` */
export function readProfileFile(path: string, place = path): Profile {
  return parseProfile(readTextFile(path, place), place);
}

/** @throws UsageError that names the flag when the file cannot be written */
export function writeJson(flag: string, path: string, content: object): void {
  writeTextFile(path, `${JSON.stringify(content, undefined, 1)}\n`, `${flag}: ${path}`);
}
