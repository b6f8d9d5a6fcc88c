/**
 * Holds processes to a fraction of a processor and to an amount of memory by Linux control groups, where this
 * machine allows it. Every group is removed with its process.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What the processes of a group may use. */
export interface CgroupSize {
  readonly vcpu: number;
  readonly memoryMib: number;
}

/** What bounds a group in one kind of tree. */
interface CgroupKind {
  settings(size: CgroupSize): readonly CgroupSetting[];
  /** The file that counts processes killed for their memory, in a line `oom_kill N`. */
  readonly oomFile?: string;
}

/** A tree of groups, and the folder that ours are made in. */
export interface CgroupTree {
  readonly kind: CgroupKind;
  readonly base: string;
}

interface CgroupSetting {
  readonly file: string;
  readonly value: string;
  /** Not every kernel has it; the bound holds without it. */
  readonly optional?: true;
}

const PERIOD_US = 100_000;
const NAME_START = "spillway-";
const REMOVE_TRIES = 100;
const REMOVE_WAIT_MS = 10;
const ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 126; shift; done; shift; exec "$@"';

/** Version 1 has a tree for each controller. */
export const cpuV1: CgroupKind = {
  settings: ({ vcpu }) => [
    { file: "cpu.cfs_period_us", value: String(PERIOD_US) },
    { file: "cpu.cfs_quota_us", value: String(Math.round(vcpu * PERIOD_US)) },
  ],
};

export const memoryV1: CgroupKind = {
  settings: ({ memoryMib }) => [
    { file: "memory.limit_in_bytes", value: bytes(memoryMib) },
    { file: "memory.memsw.limit_in_bytes", value: bytes(memoryMib), optional: true },
  ],
  oomFile: "memory.oom_control",
};

/** Version 2 has one tree for all. */
export const cgroupV2: CgroupKind = {
  settings: ({ vcpu, memoryMib }) => [
    { file: "cpu.max", value: `${Math.round(vcpu * PERIOD_US)} ${PERIOD_US}` },
    { file: "memory.max", value: bytes(memoryMib) },
    { file: "memory.swap.max", value: "0", optional: true },
    { file: "memory.oom.group", value: "1", optional: true },
  ],
  oomFile: "memory.events",
};

/** A group in each of some trees, with the same bounds and processes. */
export class Cgroup {
  readonly #trees: readonly CgroupTree[];
  readonly #name = `${NAME_START}${process.pid}-${randomBytes(6).toString("hex")}`;

  /** @throws Error of the file system when a group cannot be made; nothing is left of it */
  constructor(trees: readonly CgroupTree[], size: CgroupSize) {
    this.#trees = trees;
    try {
      for (const tree of trees) {
        const folder = this.#folder(tree);
        mkdirSync(folder);
        for (const { file, value, optional } of tree.kind.settings(size)) {
          if (optional === undefined || existsSync(join(folder, file)))
            writeFileSync(join(folder, file), value);
        }
      }
    } catch (error) {
      for (const tree of trees) removeFolder(this.#folder(tree));
      throw error;
    }
  }

  /**
   * A command that runs another one in the group, from its first instruction on: what a process starts before it is
   * moved would stay outside. It ends with code 127 when there is no such program.
   */
  entered(command: readonly string[]): string[] {
    const files = this.#trees.map((tree) => join(this.#folder(tree), "cgroup.procs"));
    return ["/bin/sh", "-c", ENTER, "sh", ...files, "--", ...command];
  }

  /** Whether a process of the group was killed because the group used too much memory. */
  get outOfMemory(): boolean {
    return this.#trees.some((tree) => {
      const { oomFile } = tree.kind;
      if (oomFile === undefined) return false;
      const kills = /^oom_kill (\d+)$/m.exec(readOr("", join(this.#folder(tree), oomFile)))?.[1];
      return Number(kills ?? 0) > 0;
    });
  }

  /** End what still runs in the group and remove it. False when that does not succeed within a second. */
  async remove(): Promise<boolean> {
    for (let tries = 0; tries < REMOVE_TRIES; tries += 1) {
      for (const tree of this.#trees) killAll(this.#folder(tree));
      // A process that was killed leaves its group a moment later.
      if (this.#trees.filter((tree) => !removeFolder(this.#folder(tree))).length === 0) return true;
      await delay(REMOVE_WAIT_MS);
    }
    return false;
  }

  #folder(tree: CgroupTree): string {
    return join(tree.base, this.#name);
  }
}

/** The process that made a group, by the group's name; undefined when the group is none of ours. */
export function makerOf(name: string): number | undefined {
  const pid = new RegExp(`^${NAME_START}(\\d+)-[0-9a-f]{12}$`).exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Remove a group without processes. False when it is there and cannot be removed. */
export function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

function killAll(folder: string): void {
  for (const line of readOr("", join(folder, "cgroup.procs")).split("\n")) {
    // 0 is a process of another namespace, and for kill our own process group.
    if (Number(line) <= 0) continue;
    try {
      process.kill(Number(line), "SIGKILL");
    } catch {
      // It is gone.
    }
  }
}

function readOr(otherwise: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return otherwise;
  }
}

function bytes(memoryMib: number): string {
  return String(Math.floor(memoryMib * 2 ** 20));
}
