/** Whole files of text that a user names. One that cannot be read or written is an error of usage. */
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { whyUnreadable, whyUnwritable } from "./error-text.ts";
import { UsageError } from "./usage-error.ts";

/**
 * @param place what messages call the file, such as `--profile: p.json`
 * @throws UsageError that names the place
 */
export function readTextFile(path: string, place = path): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${place}: ${whyUnreadable(error)}`);
  }
}

/** Like `readTextFile`; undefined when there is no such file. */
export function readIfThere(path: string, place = path): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UsageError(`${place}: ${whyUnreadable(error)}`);
  }
}

/** The value of a YAML file. Throws like `readTextFile`, and when the text is not YAML. */
export function readYamlFile(path: string): unknown {
  const text = readTextFile(path);
  try {
    return parseYaml(text);
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
}

/** Opens a file for writing, empty. Throws like `readTextFile`. */
export function openToWrite(path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw new UsageError(`${path}: ${whyUnwritable(error)}`);
  }
}

/** Throws like `readTextFile`. */
export function writeTextFile(path: string, text: string, place = path): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`${place}: ${whyUnwritable(error)}`);
  }
}
