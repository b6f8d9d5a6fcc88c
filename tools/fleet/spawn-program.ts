/** How a command of this executable is started as a process of its own, with its output in a file. */
import { type ChildProcess, spawn } from "node:child_process";

export interface SpawnOptions {
  /** Path of `cli.js`. */
  readonly executable: string;
  /** The command and its flags. */
  readonly command: readonly string[];
  /** File descriptor that takes what the program prints. */
  readonly logFile: number;
  /** A channel to this process: the program tells where it listens, and ends when this process does. */
  readonly hasChannel: boolean;
  /** Folder that the program runs in; undefined for that of this process. */
  readonly folder?: string | undefined;
  /** Its environment; undefined for that of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** Longest time for draining, in milliseconds; a program that needs longer is killed. */
export const stopTimeoutMs = 35_000;

/** In a process group of its own, so that a Ctrl-C reaches only this process, which then stops its programs in order. */
export function spawnProgram(options: SpawnOptions): ChildProcess {
  const { executable, command, logFile, hasChannel, folder, env } = options;
  return spawn(process.execPath, [executable, ...command], {
    detached: true,
    stdio: ["ignore", logFile, logFile, hasChannel ? "ipc" : "ignore"],
    cwd: folder,
    env,
  });
}

/** How a process ended, in words. */
export function endText(status: number | null, signal: NodeJS.Signals | null): string {
  return signal ?? `exit status ${status}`;
}
