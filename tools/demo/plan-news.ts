/** What the demo tells of the queue's log while it runs: the measured latencies and each change of the plan. */

interface LogLine {
  readonly name?: string;
  readonly msg?: string;
  readonly target?: string;
  readonly rows?: string;
  readonly cause?: string;
  readonly ratePerS?: number;
  readonly text?: string;
}

/** @returns a line for a person; undefined when the log's line is no news */
export function planNews(line: string): string | undefined {
  const { name, msg, target, rows, cause, ratePerS, text } = parsed(line);
  if (name !== "vqueue") return undefined;
  if (msg === "measured") return `measured ${target}: ${rows}`;
  if (msg === "plan")
    return `plan (${cause}, ${ratePerS} requests/s)${text === undefined ? "" : `: ${text}`}`;
  return undefined;
}

/** A line that is no JSON object, such as one that native code printed, has no news. */
function parsed(line: string): LogLine {
  try {
    return (JSON.parse(line) as LogLine | null) ?? {};
  } catch {
    return {};
  }
}
