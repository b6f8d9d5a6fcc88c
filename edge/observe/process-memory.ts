/** How much memory a process has, where the system tells (Linux). */
import { readFileSync } from "node:fs";

/** Resident memory in bytes; undefined when it cannot be told, or the process has ended. */
export function processMemoryBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  } catch {
    return undefined;
  }
}
