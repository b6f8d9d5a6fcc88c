/** What the process of a replica takes of the machine's memory. */
import { readFileSync } from "node:fs";

/**
 * The memory that would be free without the process, in bytes: pages that it shares with others count by its part of them
 * (PSS). Where the system does not tell that, all that is resident. Undefined when it tells neither (only Linux does), or
 * the process has ended.
 *
 * @example
 * replicaMemoryBytes(process.pid); // 61_865_984
 */
export function replicaMemoryBytes(pid: number): number | undefined {
  return (
    kibIn(`/proc/${pid}/smaps_rollup`, /^Pss:\s+([0-9]+) kB$/m) ??
    kibIn(`/proc/${pid}/status`, /^VmRSS:\s+([0-9]+) kB$/m)
  );
}

function kibIn(path: string, line: RegExp): number | undefined {
  try {
    const kib = line.exec(readFileSync(path, "utf8"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  } catch {
    return undefined;
  }
}
