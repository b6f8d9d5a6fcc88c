/** Results that are kept in a folder, by what they depend on, so that nothing is worked out twice. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";

/** A result that is older than this is made again. */
const keptMs = 30 * 24 * 3_600_000;

export class KeptResults {
  readonly #folder: URL;

  /** @param folder ends with a slash; it is made where it is missing, and only results are in it */
  constructor(folder: URL) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) {
      const file = new URL(name, folder);
      if (Date.now() - statSync(file).mtimeMs > keptMs) rmSync(file);
    }
  }

  /** @param dependsOn all that the result depends on, as values of JSON */
  async of(dependsOn: readonly unknown[], make: () => Promise<string>): Promise<string> {
    const key = createHash("sha256").update(JSON.stringify(dependsOn)).digest("hex");
    const file = new URL(`${key}.json`, this.#folder);
    try {
      return readFileSync(file, "utf8");
    } catch {
      const made = await make();
      // Another run that reads it now sees all of it or nothing.
      const part = new URL(`${key}.${process.pid}.part`, this.#folder);
      writeFileSync(part, made);
      renameSync(part, file);
      return made;
    }
  }
}
