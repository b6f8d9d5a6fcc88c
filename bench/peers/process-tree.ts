/** A server as all of its processes: what they use together, and that none is left. Linux only, by /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** Each process of a server inherits this variable with the server's own value. */
export const treeVariable = "PEER_SERVER";

/** Pids of all processes that were started with that value, or descend from one that was. */
export function treePids(value: string): number[] {
  const marker = `${treeVariable}=${value}`;
  const parents = new Map<number, number>();
  const found = new Set<number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = statOf(pid)?.parent;
    if (parent === undefined) continue;
    parents.set(pid, parent);
    if (readIfAlive(`/proc/${pid}/environ`).split("\0").includes(marker)) found.add(pid);
  }
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** Proportional set size of those processes in MiB. */
export function treePssMib(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + pssMibOf(readIfAlive(`/proc/${pid}/smaps_rollup`)), 0);
}

/** @param rollup the text of /proc/PID/smaps_rollup; 0 where it tells nothing */
export function pssMibOf(rollup: string): number {
  return Number(/^Pss: +(\d+) kB$/m.exec(rollup)?.[1] ?? 0) / 1_024;
}

/** Processor time that each of those processes has used, in milliseconds. */
export function treeCpuMs(pids: readonly number[]): ReadonlyMap<number, number> {
  return new Map(pids.map((pid) => [pid, statOf(pid)?.cpuMs ?? 0]));
}

/** What was used between two readings; a process that only the second has used all of its time between them. */
export function cpuBetweenMs(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): number {
  return [...after].reduce((sum, [pid, ms]) => sum + ms - (before.get(pid) ?? 0), 0);
}

function statOf(pid: number): { parent: number; cpuMs: number } | undefined {
  const stat = readIfAlive(`/proc/${pid}/stat`);
  return stat === "" ? undefined : parseStat(stat);
}

/** The parent and the processor time in a text of /proc/PID/stat, whose second field may hold spaces and brackets. */
export function parseStat(stat: string): { parent: number; cpuMs: number } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(fields[1]), cpuMs: 10 * (Number(fields[11]) + Number(fields[12])) };
}

function readIfAlive(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
