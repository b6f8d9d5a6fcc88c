/**
 * Starts the programs of the demo as processes of their own, learns where each listens, and stops them.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { endText, spawnProgram, stopTimeoutMs } from "../fleet/processes.ts";

export interface RunningProgram {
  readonly name: string;
  readonly url: string;
  /** Ask the program to drain; resolves with its exit status, or the signal that ended it. */
  stop(): Promise<number | string>;
}

/** Longest time from a program's start until it listens, in milliseconds. */
const startTimeoutMs = 60_000;

/**
 * Start one command of this executable on a free port.
 *
 * @param executable path of `cli.js`
 * @param logFile file descriptor that takes what the program prints
 * @throws Error when the program ends before it listens, or does not listen in time
 */
export async function startProgram(
  executable: string,
  command: readonly [name: string, ...flags: string[]],
  logFile: number,
): Promise<RunningProgram> {
  const [name, ...flags] = command;
  const child = spawnProgram({
    executable,
    command: [name, "--port", "0", ...flags],
    logFile,
    hasChannel: true,
  });
  const url = await listeningUrl(child, name);
  return { name, url, stop: () => stop(child) };
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
