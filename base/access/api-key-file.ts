/** The file of API keys, read anew when it changes, so that a key can be given or taken away without a restart. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import type { Logger } from "pino";
import { parse } from "yaml";
import { whyUnreadable } from "../error-text.ts";
import { UsageError } from "../usage-error.ts";
import { type ApiKey, apiKeysIn } from "./api-keys.ts";

/** How often the file is looked at while requests come, in milliseconds. */
const lookEveryMs = 1_000;
const mostBytes = 2 ** 20;

export class ApiKeyFile {
  readonly #path: string;
  readonly #nowMs: () => number;
  readonly #log: Pick<Logger, "info" | "error">;
  #keys: readonly ApiKey[];
  #seen: string;
  #lookedAtMs: number;

  /** @throws UsageError that names the file when it cannot be used */
  constructor(path: string, nowMs: () => number, log: Pick<Logger, "info" | "error">) {
    this.#path = path;
    this.#nowMs = nowMs;
    this.#log = log;
    this.#lookedAtMs = nowMs();
    this.#seen = this.#version();
    try {
      this.#keys = this.#read();
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }

  /** The keys as the file has them; those from before while it cannot be read. */
  keys(): readonly ApiKey[] {
    const nowMs = this.#nowMs();
    if (nowMs - this.#lookedAtMs < lookEveryMs) return this.#keys;
    this.#lookedAtMs = nowMs;
    const version = this.#version();
    if (version === this.#seen) return this.#keys;
    this.#seen = version;
    try {
      const before = this.#keys;
      // A key that did not change keeps its counts, and what is left of its rate.
      this.#keys = this.#read().map((key) => before.find((old) => old.isSameAs(key)) ?? key);
      this.#log.info({ apiKeys: this.#keys.map(({ name }) => name) }, "API keys read again");
    } catch (error) {
      this.#log.error({ error: (error as Error).message }, "API keys not read; those from before stay valid");
    }
    return this.#keys;
  }

  #version(): string {
    try {
      const { ino, size, mtimeMs, ctimeMs } = statSync(this.#path);
      return [ino, size, mtimeMs, ctimeMs].join(" ");
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? "";
    }
  }

  #read(): ApiKey[] {
    const place = `--api-keys: ${this.#path}`;
    let text: string;
    try {
      text = readChecked(this.#path);
    } catch (error) {
      throw new Error(`${place}: ${whyUnreadable(error)}`, { cause: error });
    }
    try {
      return apiKeysIn(parse(text), this.#nowMs());
    } catch (error) {
      throw new Error(`${place}: ${(error as Error).message.split("\n")[0]}`, { cause: error });
    }
  }
}

/** The text of a file that only its owner and group can change. */
function readChecked(path: string): string {
  // Without O_NONBLOCK, opening a pipe would wait for ever.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    const { mode, size } = stat;
    if (!stat.isFile()) throw new Error("is not a file");
    if ((mode & 0o002) !== 0) throw new Error("can be written by everybody; allowed: chmod o-w");
    if (size > mostBytes) throw new Error(`has ${size} bytes; allowed: at most ${mostBytes}`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}
