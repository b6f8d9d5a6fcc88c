/** A job as its log tells of it, whichever daemon runs it. */
import { Buffer } from "node:buffer";
import { cutLines, rowsOfLine } from "../../../../../protocol/result-line.ts";
import type { JobStatus } from "../../jobs/job.ts";
import type { JobView } from "../../jobs/job-book.ts";
import type { JobsLoad } from "../../jobs/job-metrics.ts";
import type { JobFacts, JobLog, JobRecord } from "./job-log.ts";

/** How long a reader waits that is told of nothing, before it looks by itself. */
const lookMs = 1_000;

export class LoggedJob implements JobView {
  readonly #id: string;
  readonly #log: JobLog;
  readonly #listen: (tell: () => void) => () => void;
  #facts: JobFacts;

  /** @param listen calls back when something was added, until the function that it returns is called */
  constructor(id: string, { facts }: JobRecord, log: JobLog, listen: (tell: () => void) => () => void) {
    this.#id = id;
    this.#facts = facts;
    this.#log = log;
    this.#listen = listen;
  }

  get model(): string {
    return this.#facts.model;
  }

  get rows(): number {
    return this.#facts.rows;
  }

  status(): JobStatus {
    return statusOf(this.#facts);
  }

  async *linesNow(from: number): AsyncGenerator<Uint8Array> {
    for await (const { lines } of this.#log.records(this.#id, from))
      for (const line of cutLines(lines).lines) if (endOf(line) > from) yield line;
  }

  async *lines(from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let next = from;
    let wake: (() => void) | undefined;
    const stop = this.#listen(() => wake?.());
    const leave = (): void => wake?.();
    signal.addEventListener("abort", leave);
    try {
      while (!signal.aborted) {
        // Listening begins before looking, so that nothing is missed in between.
        const added = new Promise<void>((resolve) => (wake = resolve));
        const timer = setTimeout(() => wake?.(), lookMs);
        try {
          for await (const { lines, facts } of this.#log.records(this.#id, next)) {
            const whole = cutLines(lines).lines.filter((line) => endOf(line) > next);
            this.#facts = facts;
            if (whole.length > 0) yield Buffer.concat(whole);
            next = Math.max(next, facts.done);
            if (signal.aborted) return;
          }
          const last = await this.#log.last(this.#id);
          if (last === undefined) return;
          this.#facts = last.facts;
          if (last.facts.state !== "running" && last.facts.done <= next) return;
          if (last.facts.done <= next) await added;
        } finally {
          clearTimeout(timer);
        }
      }
    } finally {
      stop();
      signal.removeEventListener("abort", leave);
    }
  }
}

export function statusOf(facts: JobFacts): JobStatus {
  const { state, rows, done, failed, served_by, startedAtMs, endedAtMs = Date.now(), error } = facts;
  const seconds = Math.max(0, endedAtMs - startedAtMs) / 1_000;
  const left = (seconds / done) * (rows - done);
  return {
    state,
    rows,
    done,
    failed,
    served_by,
    seconds,
    ...(state === "running" && done > 0 && { seconds_left: Math.round(left * 1_000) / 1_000 }),
    ...(error !== undefined && { error }),
  };
}

/** What jobs take, and bodies that are being read. */
export function takenBy(
  jobs: readonly JobFacts[],
  readingBytes: number,
): Pick<JobsLoad, "states" | "rows" | "bytes"> {
  const states = { running: 0, done: 0, cancelled: 0, stopped: 0 };
  const rows = { answered: 0, failed: 0 };
  const bytes = { input: 0, reading: readingBytes, results: 0 };
  for (const { state, done, failed, inputBytes, resultBytes } of jobs) {
    states[state]++;
    rows.answered += done - failed;
    rows.failed += failed;
    bytes.results += resultBytes;
    if (state === "running") bytes.input += inputBytes;
  }
  return { states, rows, bytes };
}

function endOf(line: Uint8Array): number {
  const { row = 0, rows = 0 } = rowsOfLine(line) ?? {};
  return row + rows;
}
