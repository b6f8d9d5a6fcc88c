/** The server's side of the user's programs: starts the process that runs them, knows how they stand, and stops them. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Logger } from "pino";
import type { SupportMessage } from "./support-guard.ts";
import type { SupportProgram } from "./support-options.ts";
import { signalGroup, type SupportStatus } from "./support-runner.ts";

const entry = new URL("support-guard.js", import.meta.url);
/** How long all programs may take to end; each is killed after 5 s. */
const stopTimeoutMs = 10_000;
/** Pause before the process that runs them is started again. */
const restartMs = 1_000;

export class SupportPrograms {
  readonly #programs: readonly SupportProgram[];
  readonly #log: Logger;
  readonly #statuses = new Map<string, SupportStatus>();
  #guard: ChildProcess | undefined;
  #isClosing = false;

  constructor(programs: readonly SupportProgram[], log: Logger) {
    this.#programs = programs;
    this.#log = log;
  }

  start(): void {
    if (this.#programs.length === 0 || this.#isClosing) return;
    const guard = fork(entry, { serialization: "advanced" });
    this.#guard = guard;
    guard.on("error", () => {});
    guard.on("message", (message: SupportMessage) => this.#told(message));
    guard.on("exit", () => this.#guardEnded());
    guard.send(this.#programs, () => {});
  }

  status(): SupportStatus[] {
    return this.#programs.map(
      ({ name }) => this.#statuses.get(name) ?? { name, state: "waiting", runs: 0, faults: 0 },
    );
  }

  /** Ends all of them; resolves when they have ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const guard = this.#guard;
    if (guard === undefined || guard.exitCode !== null || guard.signalCode !== null) return;
    const ended = once(guard, "exit");
    if (guard.connected) guard.disconnect();
    const kill = setTimeout(() => guard.kill("SIGKILL"), stopTimeoutMs);
    await ended;
    clearTimeout(kill);
  }

  #told(message: SupportMessage): void {
    if (message.kind === "line") {
      const { name, stream, line } = message;
      this.#log[stream === "stderr" ? "warn" : "info"]({ support: name, stream }, line);
      return;
    }
    const { status } = message;
    const { name, state, pid, runs, faults, lastEnd, startsAtUnixMs } = status;
    const isFault = faults > (this.#statuses.get(name)?.faults ?? 0);
    this.#statuses.set(name, status);
    if (state === "running") this.#log.info({ support: name, pid, runs }, "support program started");
    if (state !== "waiting" || lastEnd === undefined) return;
    const pauseMs = Math.max(0, (startsAtUnixMs ?? 0) - Date.now());
    this.#log[isFault ? "warn" : "info"]({ support: name, end: lastEnd, pauseMs }, "support program ended");
  }

  /** Somebody has killed it, so its programs are ended from here, and all are started again. */
  #guardEnded(): void {
    for (const { pid } of this.#statuses.values()) signalGroup({ pid }, "SIGKILL");
    if (this.#isClosing) return;
    this.#statuses.clear();
    this.#log.warn("the process that runs the support programs ended; starting another");
    setTimeout(() => this.start(), restartMs).unref();
  }
}
