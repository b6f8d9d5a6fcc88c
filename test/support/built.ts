/** Where the build is, for tests of real processes, and waiting for conditions. */
import { fileURLToPath } from "node:url";

export const executable = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
/** The thread that reads long bodies. */
export const codecThreadEntry = new URL("../../dist/protocol/server/codec-thread.js", import.meta.url);
export const replicaEntry = new URL("../../dist/edge/replicas/replica-process.js", import.meta.url);

/** Wait until a condition holds; rejects after a minute with what it last threw. */
export async function eventually<T>(condition: () => T | Promise<T>): Promise<T> {
  const untilMs = performance.now() + 60_000;
  for (;;) {
    try {
      return await condition();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** True while a process with that id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
