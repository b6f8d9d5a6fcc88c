/** Whole files of text that a user names, and that are read. One that cannot be read is an error of usage. */
import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { whyUnreadable } from "./error-text.ts";
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
