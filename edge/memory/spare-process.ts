/** A replica's process that holds no model yet: what takes the most time of loading a small model is done before it is asked. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { replicaMemoryBytes } from "../observe/replica-memory.ts";
import { replicaStdio } from "../replicas/wire/replica-channel.ts";
import type { SpareMemory } from "./model-memory.ts";

const killAfterMs = 2_000;

export class SpareProcess implements SpareMemory {
  readonly #entry: URL;
  #child: ChildProcess | undefined;

  /** @param entry module that the process runs */
  constructor(entry: URL) {
    this.#entry = entry;
  }

  prepare(): void {
    if (this.#child !== undefined) return;
    const child = fork(this.#entry, { serialization: "advanced", stdio: [...replicaStdio] });
    this.#child = child;
    const gone = (): void => {
      if (this.#child === child) this.#child = undefined;
    };
    child.on("error", gone);
    child.on("exit", gone);
  }

  /** The process, which is the caller's from now on; undefined when there is none. */
  take(): ChildProcess | undefined {
    const child = this.#child;
    if (child?.connected !== true || child.exitCode !== null) return undefined;
    this.#child = undefined;
    child.removeAllListeners();
    return child;
  }

  bytes(): number {
    const pid = this.#child?.pid;
    return pid === undefined ? 0 : (replicaMemoryBytes(pid) ?? 0);
  }

  async drop(): Promise<void> {
    const child = this.take();
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.disconnect();
    const kill = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    await ended;
    clearTimeout(kill);
  }
}
