/** A server of ours as a process on a free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { executable } from "../support/built.ts";

export interface RunningProgram {
  readonly url: string;
  /** Where it speaks gRPC, when it was asked to. */
  readonly doorUrl?: string;
  readonly child: ChildProcess;
  /** All that it has written to its log. */
  log(): string;
  /** Ends it, and resolves with its exit status. */
  stop(): Promise<number | null>;
}

/** Resolves when it is ready; rejects with its log when it ends before. */
export async function startProgram(command: string, flags: readonly string[]): Promise<RunningProgram> {
  const child = spawn(process.execPath, [executable, command, "--port", "0", ...flags], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let log = "";
  child.stderr?.on("data", (text) => (log += text));
  const ended = once(child, "close");
  const [message] = (await Promise.race([once(child, "message"), ended])) as [
    { url: string; doorUrl?: string } | number | null,
  ];
  if (typeof message !== "object" || message === null) throw new Error(`the ${command} ended: ${log}`);
  return {
    url: message.url,
    ...(message.doorUrl !== undefined && { doorUrl: message.doorUrl }),
    child,
    log: () => log,
    stop: async () => {
      child.kill("SIGTERM");
      const [status] = (await ended) as [number | null];
      return status;
    },
  };
}
