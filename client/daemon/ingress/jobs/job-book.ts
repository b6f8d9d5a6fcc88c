/**
 * What the endpoints of jobs need of whoever keeps them: `Jobs` in the daemon's memory and files, or, for daemons that joined
 * others, streams on a server, which outlive every daemon.
 */
import type { LaneHints } from "../../lanes.ts";
import type { SentJob } from "./job-body.ts";
import type { JobInput } from "./job-input.ts";
import type { JobsLoad } from "./job-metrics.ts";
import type { JobStatus } from "./job.ts";
import type { JobCaller, JobsOptions, ListedJob } from "./jobs.ts";

/** A job as its caller sees it. */
export interface JobView {
  readonly rows: number;
  readonly model: string;
  status(): JobStatus;
  /** The lines that there are now, each by itself, from the one that has row `from`. */
  linesNow(from: number): AsyncGenerator<Uint8Array>;
  /** Whole lines from the one that has row `from`, and those that come, until the job has ended or `signal`. */
  lines(from: number, signal: AbortSignal): AsyncGenerator<Uint8Array>;
}

/** Each as in `Jobs`. */
export interface JobBook {
  readonly options: Pick<JobsOptions, "daemon" | "codec" | "mostBytes">;
  reserve(bytes: number): () => void;
  /** @param sent the body that the input was read from */
  start(model: string, input: JobInput, hints: LaneHints, sent: SentJob): string | Promise<string>;
  find(model: string, id: string, caller?: JobCaller): JobView | Promise<JobView>;
  listed(caller: JobCaller, model?: string): readonly ListedJob[] | Promise<readonly ListedJob[]>;
  remove(model: string, id: string, caller?: JobCaller): Promise<JobView>;
  reader(): { readonly closing: AbortSignal; readonly end: () => void };
  load(): JobsLoad;
  scrape(): Promise<string>;
  /** Takes no new jobs and sends nothing new. Call it before the daemon is closed. */
  retire(): void;
  /** Call it when the daemon is closed. */
  close(): Promise<void>;
}
