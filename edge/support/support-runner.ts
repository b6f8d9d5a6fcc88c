/** Runs one program of the user's again and again: all the time, after growing pauses when it ends; or in a period. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { forEachLine } from "../../base/text-lines.ts";
import { BackOff } from "../replicas/back-off.ts";
import type { SupportProgram } from "./support-options.ts";

export interface SupportStatus {
  readonly name: string;
  /** `waiting`: for its next run. `stopping`: with the server. */
  readonly state: "running" | "waiting" | "stopping";
  readonly pid?: number | undefined;
  /** How often it was started. */
  readonly runs: number;
  /** How often it ended although it should not: with a fault, or at all where it has no period. */
  readonly faults: number;
  /** How it ended last, such as `exit status 1` or `SIGKILL`. */
  readonly lastEnd?: string | undefined;
  /** Moment of the next start, in milliseconds since 1970. */
  readonly startsAtUnixMs?: number | undefined;
}

export interface SupportEvents {
  onChange(status: SupportStatus): void;
  onLine(name: string, stream: "stdout" | "stderr", line: string): void;
}

const longestLine = 2_000;
/** Most lines a second that are passed on; the others are counted. */
const mostLines = 100;
/** How long a program that was asked to end may take. */
const killAfterMs = 5_000;

export class SupportRunner {
  readonly #program: SupportProgram;
  readonly #on: SupportEvents;
  readonly #closing = new AbortController();
  readonly #backOff = new BackOff(Math.random);
  readonly #running: Promise<void>;
  #child: ChildProcess | undefined;
  #status: SupportStatus;
  #lines = { count: 0, leftOut: 0, secondMs: 0 };

  constructor(program: SupportProgram, on: SupportEvents) {
    this.#program = program;
    this.#on = on;
    this.#status = { name: program.name, state: "waiting", runs: 0, faults: 0 };
    this.#running = this.#run();
  }

  /** Ends the program and everything that it has started. */
  async stop(): Promise<void> {
    this.#closing.abort();
    this.#change({ state: "stopping" });
    signalGroup(this.#child, "SIGTERM");
    const kill = setTimeout(() => signalGroup(this.#child, "SIGKILL"), killAfterMs);
    await this.#running;
    clearTimeout(kill);
  }

  async #run(): Promise<void> {
    const { everyMs } = this.#program;
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      const startedAtMs = performance.now();
      const end = await this.#once();
      if (closing.aborted) return;
      const livedMs = performance.now() - startedAtMs;
      const isFault = everyMs === undefined || end !== "exit status 0";
      const pauseMs =
        everyMs === undefined
          ? this.#backOff.ended(performance.now(), livedMs).pauseMs
          : Math.max(0, everyMs - livedMs);
      this.#change({
        state: "waiting",
        pid: undefined,
        lastEnd: end,
        faults: this.#status.faults + Number(isFault),
        startsAtUnixMs: Math.round(Date.now() + pauseMs),
      });
      // Rejects when it is stopped, which ends the loop.
      await delay(pauseMs, undefined, { signal: closing }).catch(() => {});
    }
  }

  /** One run from its start to its end. Returns how it ended. */
  async #once(): Promise<string> {
    const { command, env, folder } = this.#program;
    const [file = "", ...args] = command;
    // In a group of its own, so that what it starts can be ended with it.
    const child = spawn(file, args, {
      detached: true,
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    for (const stream of ["stdout", "stderr"] as const)
      forEachLine(child[stream], longestLine, (line) => this.#line(stream, line));
    const startsAtUnixMs = undefined;
    this.#change({ state: "running", pid: child.pid, runs: this.#status.runs + 1, startsAtUnixMs });
    const end = await once(child, "exit").then(
      ([status, signal]) => (signal as string | null) ?? `exit status ${String(status)}`,
      (error: Error) => `it cannot be started: ${error.message}`,
    );
    // What it has left behind would pile up with each run.
    signalGroup(child, "SIGKILL");
    this.#child = undefined;
    return end;
  }

  #change(change: Partial<SupportStatus>): void {
    const stopping = this.#closing.signal.aborted ? ({ state: "stopping" } as const) : {};
    this.#status = { ...this.#status, ...change, ...stopping };
    this.#on.onChange(this.#status);
  }

  #line(stream: "stdout" | "stderr", line: string): void {
    const lines = this.#lines;
    const secondMs = Math.floor(performance.now() / 1_000);
    if (secondMs !== lines.secondMs) {
      if (lines.leftOut > 0)
        this.#on.onLine(
          this.#program.name,
          "stderr",
          `${lines.leftOut} lines left out: more than ${mostLines} came in a second`,
        );
      this.#lines = { count: 0, leftOut: 0, secondMs };
    }
    if (this.#lines.count++ < mostLines) this.#on.onLine(this.#program.name, stream, line);
    else this.#lines.leftOut++;
  }
}

/** A process that has not been started, or a group that has ended, is no fault. */
export function signalGroup(
  of: { readonly pid?: number | undefined } | undefined,
  name: NodeJS.Signals,
): void {
  if (of?.pid === undefined) return;
  try {
    process.kill(-of.pid, name);
  } catch {
    // It has ended.
  }
}
