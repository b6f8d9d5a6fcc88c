/** Looks at the rule file while the daemon runs, and tells when it has changed. */
import { statSync } from "node:fs";

/** How often the file is looked at, in milliseconds. */
const usualEveryMs = 1_000;

export interface RuleFileOptions {
  readonly path: string;
  /** Reads the file and uses it. Rejects when it cannot be used; everything then stays as it is. */
  readonly use: () => Promise<void>;
  readonly onFault: (error: Error) => void;
  /** Default: 1,000. */
  readonly everyMs?: number;
}

export class RuleFile {
  readonly #options: RuleFileOptions;
  #used: string;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;

  constructor(options: RuleFileOptions) {
    this.#options = options;
    this.#used = this.#seen = versionOf(options.path);
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#options.everyMs ?? usualEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A file that has changed is read when it has not changed again until the next look: it may be half written. */
  async look(): Promise<void> {
    const { path, use, onFault } = this.#options;
    const version = versionOf(path);
    const isStill = version === this.#seen;
    this.#seen = version;
    if (!isStill || version === this.#used || this.#isBusy) return;
    this.#used = version;
    this.#isBusy = true;
    try {
      await use();
    } catch (error) {
      onFault(error as Error);
    } finally {
      this.#isBusy = false;
    }
  }
}

/** Changes when the file does; a link counts as what it leads to. */
function versionOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return [ino, size, mtimeMs, ctimeMs].join(" ");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "";
  }
}
