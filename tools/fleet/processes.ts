/** Programs as processes: start one, tell it from a later process of the same id, ask whether it is ready, stop it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export interface SpawnOptions {
  /** Path of `cli.js`. */
  readonly executable: string;
  /** The command and its flags. */
  readonly command: readonly string[];
  /** File descriptor for the output of the program. */
  readonly logFile: number;
  /** With a channel, the program says where it listens, and ends when this process does. */
  readonly hasChannel: boolean;
  /** Working folder of the program. Default: that of this process. */
  readonly folder?: string | undefined;
  /** Environment of the program. Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** Starts a process in a group of its own: Ctrl-C reaches only this process, which then stops its programs in order. */
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

/** Ids are reused, but not together with the moment of the start. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Moment of the start in the system's own form, for comparing only. */
  readonly started: string;
}

/** Undefined when no such process runs. A process that has ended and waits for its parent does not run. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const started = process.platform === "linux" ? startedOnLinux(pid) : startedByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isRunning({ pid, started }: ProcessIdentity): boolean {
  return identityOf(pid)?.started === started;
}

/** The boot, and the ticks from it to the start. */
function startedOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program comes before, in brackets, and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    if (state === "Z" || state === "X") return undefined;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${ticks}`;
  } catch {
    return undefined;
  }
}

function startedByPs(pid: number): string | undefined {
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return line.startsWith("Z") ? undefined : line.replace(/^\S+\s+/, "");
  } catch {
    return undefined;
  }
}

/** Longest time for an answer about readiness, in milliseconds. */
const answerTimeoutMs = 2_000;

/** Whether the program says that it can do its work. */
export async function isReady(readyUrl: string): Promise<boolean> {
  try {
    const reply = await fetch(readyUrl, { signal: AbortSignal.timeout(answerTimeoutMs) });
    await reply.body?.cancel();
    return reply.ok;
  } catch {
    return false;
  }
}

/** Longest time for draining, in milliseconds; then the program is killed. */
export const stopTimeoutMs = 35_000;
/** Interval of looking whether a process has ended, in milliseconds. */
const lookEveryMs = 20;
/** Longest time until a killed process is gone, in milliseconds. */
const killedMs = 5_000;

/** `gone`: it had ended before. `replaced`: another process has its id now and is left alone. */
export type Stopped = "stopped" | "killed" | "gone" | "replaced";

/** Asks the process to drain, waits for its end, and kills it if that takes too long. */
export async function stopProcess(identity: ProcessIdentity): Promise<Stopped> {
  if (!isRunning(identity)) return identityOf(identity.pid) === undefined ? "gone" : "replaced";
  signal(identity, "SIGTERM");
  if (await endsWithin(identity, stopTimeoutMs)) return "stopped";
  signal(identity, "SIGKILL");
  if (await endsWithin(identity, killedMs)) return "killed";
  throw new Error(`process ${identity.pid} does not end`);
}

async function endsWithin(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const untilMs = performance.now() + timeoutMs;
  while (isRunning(identity)) {
    if (performance.now() > untilMs) return false;
    await delay(lookEveryMs);
  }
  return true;
}

function signal({ pid }: ProcessIdentity, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended in between.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
