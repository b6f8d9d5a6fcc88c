/** The jobs of a daemon: how many there may be, how much they may take, and how long their results are kept. */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../../../base/errors.ts";
import { showValue } from "../../../../base/error-text.ts";
import { UsageError } from "../../../../base/usage-error.ts";
import { ProtocolError, UnavailableError } from "../../../../protocol/errors.ts";
import { versionedModel } from "../../../../protocol/model-path.ts";
import { codecHere, type MessageCodec } from "../../../../protocol/server/message-codec.ts";
import type { Daemon } from "../../daemon.ts";
import type { LaneHints } from "../../lanes.ts";
import type { DaemonOptions } from "../../options.ts";
import { Job } from "./job.ts";
import type { JobInput } from "./job-input.ts";
import { RowRoom } from "./row-room.ts";

export interface JobsOptions {
  readonly daemon: Daemon;
  /** Prints answers. Default: on the event loop. */
  readonly codec?: MessageCodec | undefined;
  /** Most jobs, those that have ended and are kept included. */
  readonly mostJobs: number;
  /** Most bytes of all inputs that wait and all results. */
  readonly mostBytes: number;
  /** How long results are kept, in milliseconds from the end of the job. */
  readonly keepMs: number;
  /** Longest time of one request of a job, in milliseconds from when it is in the queue. */
  readonly timeoutMs: number;
  /** Most rows of all jobs in the queue at once. */
  readonly mostRows: number;
  /** Lane of jobs whose caller names none. Default: as that of any request is found. */
  readonly lane?: string | undefined;
}

/** As the options of the daemon say. */
export function jobsOptions(
  { jobs, jobsMib, jobKeep, jobTimeout, jobRows, jobLane, lanes }: DaemonOptions,
  daemon: Daemon,
  codec: MessageCodec,
): JobsOptions {
  const names = lanes.map(({ name }) => name);
  if (jobLane !== undefined && !names.includes(jobLane))
    throw new UsageError(
      `--job-lane is ${showValue(jobLane)}; allowed: ${names.join(", ") || "none; --lanes sets some"}`,
    );
  return {
    daemon,
    codec,
    lane: jobLane,
    mostJobs: jobs,
    mostBytes: jobsMib * 2 ** 20,
    keepMs: jobKeep * 1_000,
    timeoutMs: jobTimeout * 1_000,
    mostRows: jobRows,
  };
}

/** A job, and what it takes. */
interface KeptJob {
  readonly job: Job;
  inputBytes: number;
  resultBytes: number;
  expiry?: NodeJS.Timeout;
}

/** How long a daemon that stops waits for those who read results, and how often it looks. */
const longestReadMs = 5_000;
const lookEveryMs = 20;
/** When to come back where nobody knows when there is room. */
const comeBackMs = 10_000;

export class Jobs {
  readonly options: JobsOptions;
  readonly #room: RowRoom;
  readonly #kept = new Map<string, KeptJob>();
  /** Bodies that are being read, which count before they are jobs. */
  #readingBytes = 0;
  #bytes = 0;
  #isClosed = false;
  readonly #closing = new AbortController();
  readonly #readers = new Set<object>();

  constructor(options: JobsOptions) {
    this.options = options;
    this.#room = new RowRoom(options.mostRows);
  }

  /**
   * Somebody reads results as they come. When the daemon stops, it waits for readers, but not for long.
   *
   * @returns `closing` aborts when the reader has to end; call `end` when it has
   */
  reader(): { readonly closing: AbortSignal; readonly end: () => void } {
    const token = {};
    this.#readers.add(token);
    return { closing: this.#closing.signal, end: () => void this.#readers.delete(token) };
  }

  /**
   * Makes room for a body before it is read. Call the function that it returns once there is a job, or none.
   *
   * @throws UnavailableError when there is none; its message says of what
   */
  reserve(bytes: number): () => void {
    this.#check(bytes);
    this.#readingBytes += bytes;
    let held = bytes;
    return () => {
      this.#readingBytes -= held;
      held = 0;
    };
  }

  /** @throws UnavailableError when there is no room for it */
  start(model: string, input: JobInput, given: LaneHints = {}): string {
    this.#check(input.bytes);
    const id = randomBytes(12).toString("base64url");
    const { daemon, codec = codecHere, timeoutMs, keepMs } = this.options;
    const hints = { ...given, lane: given.lane ?? this.options.lane };
    const takeBytes = (bytes: number): SpillwayError | undefined => this.#takeBytes(kept, bytes);
    this.#bytes += input.bytes;
    const job = new Job(model, input, { daemon, codec, hints, room: this.#room, timeoutMs, takeBytes });
    const kept: KeptJob = { job, inputBytes: input.bytes, resultBytes: 0 };
    this.#kept.set(id, kept);
    void job.ended.then(() => {
      this.#bytes -= kept.inputBytes;
      kept.inputBytes = 0;
      if (this.#kept.get(id) !== kept) return;
      kept.expiry = setTimeout(() => void this.#forget(id), keepMs);
      kept.expiry.unref();
    });
    return id;
  }

  /** @throws ProtocolError with status 404 when there is no such job of the model */
  find(model: string, id: string): Job {
    const job = this.#kept.get(id)?.job;
    if (job !== undefined && versionedModel(job.model).model === model) return job;
    throw new ProtocolError(
      `no job ${showValue(id)}; results are kept for ${this.options.keepMs / 1_000} s after a job's end, ` +
        "and jobs do not outlive the daemon: it may have been restarted, so send the input again",
      404,
    );
  }

  /** Cancels a job that runs and keeps its results so far; forgets one that has ended. Throws like `find`. */
  async remove(model: string, id: string): Promise<Job> {
    const job = this.find(model, id);
    if (job.status().state !== "running") await this.#forget(id);
    else {
      job.cancel();
      await job.ended;
    }
    return job;
  }

  /** Takes no new jobs and sends nothing new. Call it before the daemon is closed. */
  retire(): void {
    this.#isClosed = true;
    for (const { job } of this.#kept.values()) job.close();
  }

  /** Resolves when all jobs have ended and nothing of them is left. Call it when the daemon is closed. */
  async close(): Promise<void> {
    this.retire();
    await Promise.all([...this.#kept.values()].map(({ job }) => job.ended));
    const untilMs = performance.now() + longestReadMs;
    while (this.#readers.size > 0 && performance.now() < untilMs) await delay(lookEveryMs);
    this.#closing.abort();
    await Promise.all([...this.#kept.keys()].map((id) => this.#forget(id)));
  }

  async #forget(id: string): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#kept.delete(id);
    clearTimeout(kept.expiry);
    this.#bytes -= kept.resultBytes;
    kept.resultBytes = 0;
    await kept.job.results.close();
  }

  #check(bytes: number): void {
    const { mostBytes, mostJobs } = this.options;
    if (this.#isClosed) throw new UnavailableError("the daemon is shutting down and takes no new jobs");
    if (this.#kept.size >= mostJobs)
      throw new UnavailableError(
        `there are ${this.#kept.size} jobs; allowed: ${mostJobs} (--jobs); DELETE one that has ended, or come back`,
        comeBackMs,
      );
    if (bytes > mostBytes)
      throw new ProtocolError(
        `the job takes ${mib(bytes)} MiB; allowed: ${mib(mostBytes)} (--jobs-mib)`,
        413,
      );
    const taken = this.#bytes + this.#readingBytes;
    if (taken + bytes <= mostBytes) return;
    throw new UnavailableError(
      `jobs take ${mib(taken)} MiB and this one ${mib(bytes)}; allowed: ${mib(mostBytes)} (--jobs-mib)`,
      comeBackMs,
    );
  }

  #takeBytes(kept: KeptJob, bytes: number): SpillwayError | undefined {
    const { mostBytes } = this.options;
    if (this.#bytes + this.#readingBytes + bytes > mostBytes)
      return new SpillwayError(
        "queue_full",
        `the job was stopped here: inputs and results of all jobs take ${mib(mostBytes)} MiB, the most allowed (--jobs-mib)`,
      );
    this.#bytes += bytes;
    kept.resultBytes += bytes;
    return undefined;
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0);
}
