/** Bounds the vCPU and memory of processes by Linux control groups (versions 1 and 2), removed with their process. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What the processes of a group may use. */
export interface CgroupSize {
  readonly vcpu: number;
  readonly memoryMib: number;
}

interface CgroupSetting {
  readonly file: string;
  readonly value: string;
  /** Not every kernel has the file; the bound holds without it. */
  readonly optional?: true;
}

/** How a group is bounded in one kind of tree. */
interface CgroupKind {
  settings(size: CgroupSize): readonly CgroupSetting[];
  /** The file with a line `oom_kill N`, the number of processes that were killed for their memory. */
  readonly oomFile?: string;
}

/** A tree of groups, and the folder in which ours are made. */
export interface CgroupTree {
  readonly kind: CgroupKind;
  readonly base: string;
}

const periodUs = 100_000;
const namePrefix = "spillway-";
const maxRemoveTries = 100;
const removePauseMs = 10;
/** Shell script: writes its own pid into every file up to `--`, then becomes the command after it. */
const enterScript = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 126; shift; done; shift; exec "$@"';

/** Version 1 has a tree for each controller. */
export const cpuV1: CgroupKind = {
  settings: ({ vcpu }) => [
    { file: "cpu.cfs_period_us", value: String(periodUs) },
    { file: "cpu.cfs_quota_us", value: String(Math.round(vcpu * periodUs)) },
  ],
};

export const memoryV1: CgroupKind = {
  settings: ({ memoryMib }) => [
    { file: "memory.limit_in_bytes", value: bytes(memoryMib) },
    { file: "memory.memsw.limit_in_bytes", value: bytes(memoryMib), optional: true },
  ],
  oomFile: "memory.oom_control",
};

/** Version 2 has one tree for all controllers. */
export const cgroupV2: CgroupKind = {
  settings: ({ vcpu, memoryMib }) => [
    { file: "cpu.max", value: `${Math.round(vcpu * periodUs)} ${periodUs}` },
    { file: "memory.max", value: bytes(memoryMib) },
    { file: "memory.swap.max", value: "0", optional: true },
    { file: "memory.oom.group", value: "1", optional: true },
  ],
  oomFile: "memory.events",
};

/** One group, made in each of the given trees. */
export class Cgroup {
  readonly #trees: readonly CgroupTree[];
  readonly #name = `${namePrefix}${process.pid}-${randomBytes(6).toString("hex")}`;

  /** @throws Error of the file system when the group cannot be made; nothing of it remains then */
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
   * A command that runs `command` in the group. The process enters the group before its first instruction, because
   * processes that it starts earlier would stay outside. It ends with code 127 when the program does not exist.
   */
  entered(command: readonly string[]): string[] {
    const files = this.#trees.map((tree) => join(this.#folder(tree), "cgroup.procs"));
    return ["/bin/sh", "-c", enterScript, "sh", ...files, "--", ...command];
  }

  /** Whether a process of the group was killed because the group used too much memory. */
  get outOfMemory(): boolean {
    return this.#trees.some((tree) => {
      const { oomFile } = tree.kind;
      if (oomFile === undefined) return false;
      const kills = /^oom_kill (\d+)$/m.exec(readOrEmpty(join(this.#folder(tree), oomFile)))?.[1];
      return Number(kills ?? 0) > 0;
    });
  }

  /** Kill what still runs in the group and remove it. False when that does not succeed within a second. */
  async remove(): Promise<boolean> {
    for (let tries = 0; tries < maxRemoveTries; tries += 1) {
      for (const tree of this.#trees) killAll(this.#folder(tree));
      // A killed process leaves its group a moment later.
      if (this.#trees.filter((tree) => !removeFolder(this.#folder(tree))).length === 0) return true;
      await delay(removePauseMs);
    }
    return false;
  }

  #folder(tree: CgroupTree): string {
    return join(tree.base, this.#name);
  }
}

/** The process that made a group, by the group's name; undefined when no function host made it. */
export function makerOf(name: string): number | undefined {
  const pid = new RegExp(`^${namePrefix}(\\d+)-[0-9a-f]{12}$`).exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Remove a group that has no processes. False when it exists and cannot be removed. */
export function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

function killAll(folder: string): void {
  for (const line of readOrEmpty(join(folder, "cgroup.procs")).split("\n")) {
    // 0 stands for a process of another namespace; kill would take it for our own process group.
    if (Number(line) <= 0) continue;
    try {
      process.kill(Number(line), "SIGKILL");
    } catch {
      // The process is gone.
    }
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function bytes(memoryMib: number): string {
  return String(Math.floor(memoryMib * 2 ** 20));
}
