/** Starts the programs of the demo as processes of their own, learns where each listens, and stops or kills them. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { endText, spawnProgram, stopTimeoutMs } from "../fleet/processes.ts";

export interface RunningProgram {
  readonly name: string;
  readonly url: string;
  /** Ask the program to drain; resolves with its exit status, or the signal that ended it. */
  stop(): Promise<number | string>;
  /** End the program at once, as a power cut would; its children end with it. */
  kill(): Promise<void>;
}

export interface ProgramOptions {
  /** Path of `cli.js`. */
  readonly executable: string;
  readonly command: readonly [name: string, ...flags: string[]];
  /** File descriptor that takes what the program prints. */
  readonly logFile: number;
  /** Default: a free one. */
  readonly port?: string;
}

/** Longest time from a program's start until it listens, in milliseconds. */
const startTimeoutMs = 60_000;

/** @throws Error when the program ends before it listens, or does not listen in time */
export async function startDemoProgram({
  executable,
  command: [name, ...flags],
  logFile,
  port = "0",
}: ProgramOptions): Promise<RunningProgram> {
  const command = [name, "--port", port, ...flags];
  const child = spawnProgram({ executable, command, logFile, hasChannel: true });
  const url = await listeningUrl(child, name);
  return { name, url, stop: () => stop(child), kill: () => kill(child) };
}

async function listeningUrl(child: ChildProcess, name: string): Promise<string> {
  const abort = new AbortController();
  const { signal } = abort;
  const timeout = setTimeout(() => child.kill("SIGKILL"), startTimeoutMs);
  try {
    return await Promise.race([
      once(child, "message", { signal }).then(([message]) => (message as { url: string }).url),
      once(child, "exit", { signal }).then(([code, killedBy]) => {
        throw new Error(`spillway ${name} ended before it listened (${endText(code, killedBy)})`);
      }),
    ]);
  } finally {
    clearTimeout(timeout);
    abort.abort();
  }
}

async function stop(child: ChildProcess): Promise<number | string> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    const timeout = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    child.kill("SIGTERM");
    await exited;
    clearTimeout(timeout);
  }
  return child.exitCode ?? child.signalCode ?? "unknown";
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
