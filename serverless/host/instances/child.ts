/**
 * A child process that cannot outlive its host, nor leave processes of its own behind. Knows nothing of
 * functions or HTTP.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { forEachLine } from "../../../base/text-lines.ts";

export interface ChildOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Where it runs; the host's own folder when undefined. */
  readonly folder?: string | undefined;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (stream: "stdout" | "stderr", line: string) => void;
  /** Called when the process has ended; its output may still come. */
  readonly onExit?: () => void;
}

const MAX_LINE_CHARS = 4096;
/** Time for a process's output to end after its exit. */
const SETTLE_MS = 500;

/** A running process. A program that cannot be started gives a child that has ended, without a pid. */
export class Child {
  /** Fulfilled with how the process ended, when it and its output are gone. Never rejects. */
  readonly exited: Promise<string>;
  readonly #process: ChildProcess;
  #exit: string | undefined;

  /** @throws Error when the operating system refuses at once, as for too long a command */
  constructor(options: ChildOptions) {
    this.#process = spawn(options.command[0] ?? "", options.command.slice(1), {
      cwd: options.folder,
      env: options.env,
      // Its own process group keeps the terminal's Ctrl-C away. The channel's end tells a child that its host
      // died, however it died; ending then is up to the child.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.exited = this.#watch(options.onExit);
    for (const stream of ["stdout", "stderr"] as const) {
      const source = this.#process[stream];
      if (source !== null) forEachLine(source, MAX_LINE_CHARS, (line) => options.onLine(stream, line));
    }
  }

  /** Undefined when the process could not be made. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** How the process ended; undefined while it runs. */
  get exit(): string | undefined {
    return this.#exit;
  }

  /** Ask the process to end. */
  terminate(): void {
    this.#process.kill("SIGTERM");
  }

  /** End the process and its descendants at once. */
  kill(): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // Nobody of its group is left.
    }
  }

  #watch(onExit?: () => void): Promise<string> {
    const child = this.#process;
    // Without a listener Node keeps every message that the child sends.
    child.on("message", () => undefined);
    return new Promise((resolve) => {
      child.on("error", (error) => {
        // Other errors, as of the channel, leave the process running.
        if (this.pid !== undefined) return;
        this.#exit ??= error.message;
        resolve(this.#exit);
      });
      child.once("exit", (code, signal) => {
        const exit = signal === null ? `code ${code}` : `signal ${signal}`;
        this.#exit = exit;
        onExit?.();
        // Descendants go with it; what keeps its output open from outside the group is cut off.
        this.kill();
        const timer = setTimeout(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
          if (child.connected) child.disconnect();
          // Who holds the channel open from outside the group keeps "close" from coming.
          resolve(exit);
        }, SETTLE_MS);
        child.once("close", () => {
          clearTimeout(timer);
          resolve(exit);
        });
      });
    });
  }
}
