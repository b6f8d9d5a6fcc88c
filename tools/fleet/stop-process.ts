/** Stops a process that was started earlier, by another process perhaps, and never one that only has its id. */
import { setTimeout as delay } from "node:timers/promises";
import { identityOf, isRunning, type ProcessIdentity } from "./process-identity.ts";
import { stopTimeoutMs } from "./spawn-program.ts";

/** `gone`: it had ended before. `replaced`: its id is another process's now, which is left alone. */
export type Stopped = "stopped" | "killed" | "gone" | "replaced";

/** How often is looked whether it has ended, in milliseconds. */
const lookEveryMs = 20;
/** How long a killed process may take to be gone, in milliseconds. */
const killedMs = 5_000;

/** Asks the process to drain, waits for its end, and kills it when that takes too long. */
export async function stopProcess(of: ProcessIdentity): Promise<Stopped> {
  if (!isRunning(of)) return identityOf(of.pid) === undefined ? "gone" : "replaced";
  signal(of, "SIGTERM");
  if (await endsWithin(of, stopTimeoutMs)) return "stopped";
  signal(of, "SIGKILL");
  if (await endsWithin(of, killedMs)) return "killed";
  throw new Error(`process ${of.pid} does not end`);
}

async function endsWithin(of: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const untilMs = performance.now() + timeoutMs;
  while (isRunning(of)) {
    if (performance.now() > untilMs) return false;
    await delay(lookEveryMs);
  }
  return true;
}

function signal({ pid }: ProcessIdentity, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended in between.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
