/** A child process that does not outlive the host and leaves no processes of its own behind. */
import { spawn, type ChildProcess } from "node:child_process";
import { forEachLine } from "../../../base/text-lines.ts";

export interface ChildOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Working directory; default: the host's own. */
  readonly folder?: string | undefined;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (stream: "stdout" | "stderr", line: string) => void;
  /** Called when the process has ended; some of its output may come later. */
  readonly onExit?: () => void;
}

const maxLineLength = 4096;
/** How long the output of a process may take to end after its exit. */
const outputSettleMs = 500;

/** A running process. If the program cannot be started, `exit` is set and `pid` is undefined. */
export class Child {
  /** Fulfilled with how the process ended, once its output has ended too. Never rejects. */
  readonly exited: Promise<string>;
  readonly #process: ChildProcess;
  #exit: string | undefined;

  /** @throws Error when the operating system refuses at once, for example a command that is too long */
  constructor(options: ChildOptions) {
    this.#process = spawn(options.command[0] ?? "", options.command.slice(1), {
      cwd: options.folder,
      env: options.env,
      // Own process group: Ctrl-C does not reach it. The IPC channel closes when the host dies, so the child can exit.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.exited = this.#watch(options.onExit);
    for (const stream of ["stdout", "stderr"] as const) {
      const source = this.#process[stream];
      if (source !== null) forEachLine(source, maxLineLength, (line) => options.onLine(stream, line));
    }
  }

  /** Undefined when the process could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** How the process ended; undefined while it runs. */
  get exit(): string | undefined {
    return this.#exit;
  }

  /** Send SIGTERM to the process. */
  terminate(): void {
    this.#process.kill("SIGTERM");
  }

  /** Send SIGKILL to the process and its descendants. */
  kill(): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // The process group is empty.
    }
  }

  #watch(onExit?: () => void): Promise<string> {
    const child = this.#process;
    // Without a listener Node would keep every message that the child sends.
    child.on("message", () => undefined);
    return new Promise((resolve) => {
      child.on("error", (error) => {
        // Other errors, such as those of the channel, do not end the process.
        if (this.pid !== undefined) return;
        this.#exit ??= error.message;
        resolve(this.#exit);
      });
      child.once("exit", (code, signal) => {
        const exit = signal === null ? `code ${code}` : `signal ${signal}`;
        this.#exit = exit;
        onExit?.();
        this.kill();
        // Descendants outside the process group may hold the output and the channel open, which delays "close".
        const timer = setTimeout(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
          if (child.connected) child.disconnect();
          resolve(exit);
        }, outputSettleMs);
        child.once("close", () => {
          clearTimeout(timer);
          resolve(exit);
        });
      });
    });
  }
}
