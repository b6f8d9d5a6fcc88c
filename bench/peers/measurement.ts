/** A measurement from what the generator, the system and the checker said. */
import type { PeerMeasurement } from "./cells.ts";
import type { Checked } from "./checker.ts";
import type { LoadSummary } from "./generator.ts";

export function measurementOf(
  { sent, statuses, unanswered, seconds, p50Ms, p99Ms, within }: LoadSummary,
  cpuMs: number,
  pssMib: number,
  { checked, wrong }: Checked,
): PeerMeasurement {
  const answered = statuses["200"] ?? 0;
  return {
    perS: answered / seconds,
    p50Ms,
    p99Ms,
    inTime: within / sent,
    refused: (sent - answered - unanswered) / sent,
    cpuMs: cpuMs / (answered + checked),
    pssMib,
    checked,
    wrong,
  };
}
