/** Looks at the configuration file while the daemon runs, and tells its edges when they have changed. */
import { statSync } from "node:fs";
import type { Logger } from "pino";

/** How often the file is looked at, in milliseconds. */
const usualEveryMs = 1_000;

export interface FileWatchOptions {
  readonly path: string;
  /** The edges as the file lists them, checked. Throws when the file cannot be used. */
  readonly read: () => readonly string[];
  /** Makes the edges those of the list; throws when it cannot be used. */
  readonly follow: (edges: readonly string[]) => void;
  readonly log: Pick<Logger, "info" | "error">;
  /** How often the file is looked at, in milliseconds. Default: 1,000. */
  readonly everyMs?: number;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  #edges: readonly string[];
  #used: string;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;

  /** @param edges as the daemon has them from the file */
  constructor(options: FileWatchOptions, edges: readonly string[]) {
    this.#options = options;
    this.#edges = edges;
    this.#used = this.#seen = versionOf(options.path);
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), this.#options.everyMs ?? usualEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A file that has changed is read when it has not changed again until the next look: it may be half written. */
  look(): void {
    const { path, read, follow, log } = this.#options;
    const version = versionOf(path);
    const isStill = version === this.#seen;
    this.#seen = version;
    if (!isStill || version === this.#used) return;
    this.#used = version;
    try {
      const edges = read();
      if (edges.join() === this.#edges.join()) {
        log.info({ file: path }, "the file lists the same edges; its other options hold from the next start");
        return;
      }
      follow(edges);
      this.#edges = edges;
      log.info({ file: path, edges }, "edges as the file lists them");
    } catch (error) {
      const why = (error as Error).message.split("\n")[0]?.replace(/:$/, "");
      log.error({ file: path, why }, "the file is not used; all targets stay");
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
