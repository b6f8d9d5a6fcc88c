/** The cancel of a job that runs somewhere. */
import { faultLine } from "../../../../../protocol/result-line.ts";
import { isFull } from "../bus-streams.ts";
import type { JobLog } from "./job-log.ts";
import { endedFacts } from "./job-run.ts";

const nothing = new Uint8Array();

/** Whoever runs it is told; where nobody does, or the log has no room for that, it ends here. */
export async function cancelInLog(log: JobLog, id: string): Promise<void> {
  for (;;) {
    const last = await log.last(id);
    if (last?.facts.state !== "running" || last.facts.isCancelled === true) return;
    const { facts, sequence } = last;
    const cancelled = { ...facts, isCancelled: true };
    if (facts.runner !== undefined) {
      const added = await log.add(id, sequence, cancelled, nothing).catch((error: unknown) => {
        if (isFull(error)) return "full";
        throw error;
      });
      if (added === undefined) continue;
      if (added !== "full") return;
    }
    const { done, rows } = facts;
    const fault = { error: "the job was cancelled", code: "cancelled", status: 499 };
    const tail = rows > done ? faultLine({ row: done, rows: rows - done }, fault) : nothing;
    const ended = {
      ...cancelled,
      state: "cancelled",
      ...endedFacts(facts, tail.length, Date.now()),
    } as const;
    if ((await log.end(id, sequence, ended, tail)) !== undefined) return;
  }
}
