/** The folders of a host's code, all under one of its own. Whatever becomes of the disk, the host goes on. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../log.ts";

export class CodeFolders {
  readonly #log: Log;
  #root: string | undefined;
  #made = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A path under the host's own folder at which nothing is yet. */
  async newPath(name: string): Promise<string> {
    this.#root ??= await mkdtemp(join(tmpdir(), "spillway-functions-"));
    return join(this.#root, `${name}-${(this.#made += 1)}`);
  }

  /**
   * Never rejects: a process that left its instance's group may still write there, which can fail a removal. What is left
   * is tried once more when the host goes.
   */
  async remove(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      this.#log.warn({ err: error, path }, "code of a function could not be removed");
    }
  }

  async removeAll(): Promise<void> {
    if (this.#root !== undefined) await this.remove(this.#root);
  }
}
