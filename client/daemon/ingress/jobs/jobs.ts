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
import { Job, type JobStatus } from "./job.ts";
import type { JobInput } from "./job-input.ts";
import { JobMetrics, type JobsLoad } from "./job-metrics.ts";
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

/** A job, whose it is, and what it takes. */
interface KeptJob {
  readonly job: Job;
  readonly caller: JobCaller;
  inputBytes: number;
  resultBytes: number;
  expiry?: NodeJS.Timeout;
}

/** Who asks for jobs: their API key, or the tenant that they say they are. */
export interface JobCaller {
  readonly key?: string | undefined;
  readonly tenant?: string | undefined;
}

/** A job in a list. */
export interface ListedJob extends JobStatus {
  readonly id: string;
  readonly model: string;
  /** What it takes: of its input in memory, and of its results in a file. */
  readonly input_bytes: number;
  readonly result_bytes: number;
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
  readonly #metrics: JobMetrics;
  /** Of jobs that were forgotten. */
  readonly #forgotten = { answered: 0, failed: 0 };

  constructor(options: JobsOptions) {
    this.options = options;
    this.#room = new RowRoom(options.mostRows);
    this.#metrics = new JobMetrics(() => this.load());
  }

  /** What all jobs take of their bounds. */
  load(): JobsLoad {
    const states = { running: 0, done: 0, cancelled: 0, stopped: 0 };
    const rows = { ...this.#forgotten };
    const bytes = { input: 0, reading: this.#readingBytes, results: 0 };
    for (const { job, inputBytes, resultBytes } of this.#kept.values()) {
      states[job.state]++;
      rows.answered += job.endedRows.answered;
      rows.failed += job.endedRows.failed;
      bytes.input += inputBytes;
      bytes.results += resultBytes;
    }
    const { mostJobs, mostBytes, mostRows } = this.options;
    const queuedRows = this.#room.taken;
    return { states, mostJobs, bytes, mostBytes, queuedRows, mostQueuedRows: mostRows, rows };
  }

  /** The metrics of jobs, as the text of a scrape. */
  scrape(): Promise<string> {
    return this.#metrics.text();
  }

  /**
   * The jobs of a caller, the latest first: those of its API key, else of the tenant that it names, else those of nobody.
   *
   * @param model undefined: of all models
   */
  listed(caller: JobCaller, model?: string): ListedJob[] {
    const owner = ownerOf(caller);
    const listed: ListedJob[] = [];
    for (const [id, { job, caller: other, inputBytes, resultBytes }] of this.#kept) {
      if (ownerOf(other) !== owner) continue;
      if (model !== undefined && versionedModel(job.model).model !== model) continue;
      const bytes = { input_bytes: inputBytes, result_bytes: resultBytes };
      listed.push({ id, model: job.model, ...job.status(), ...bytes });
    }
    return listed.toReversed();
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
    const { key, tenant } = given;
    const kept: KeptJob = { job, caller: { key, tenant }, inputBytes: input.bytes, resultBytes: 0 };
    this.#kept.set(id, kept);
    this.#metrics.started();
    void job.ended.then(() => {
      this.#metrics.ended(job.state);
      this.#bytes -= kept.inputBytes;
      kept.inputBytes = 0;
      if (this.#kept.get(id) !== kept) return;
      kept.expiry = setTimeout(() => void this.#forget(id), keepMs);
      kept.expiry.unref();
    });
    return id;
  }

  /** @throws ProtocolError with status 404 when there is no such job of the model, or it is another API key's */
  find(model: string, id: string, { key }: JobCaller = {}): Job {
    const { job, caller } = this.#kept.get(id) ?? {};
    const isTheirs = key === undefined || key === caller?.key;
    if (job !== undefined && isTheirs && versionedModel(job.model).model === model) return job;
    throw new ProtocolError(
      `no job ${showValue(id)}; results are kept for ${this.options.keepMs / 1_000} s after a job's end, ` +
        "and jobs do not outlive the daemon: it may have been restarted, so send the input again",
      404,
    );
  }

  /** Cancels a job that runs and keeps its results so far; forgets one that has ended. Throws like `find`. */
  async remove(model: string, id: string, caller: JobCaller = {}): Promise<Job> {
    const job = this.find(model, id, caller);
    if (job.state !== "running") await this.#forget(id);
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
    this.#forgotten.answered += kept.job.endedRows.answered;
    this.#forgotten.failed += kept.job.endedRows.failed;
    clearTimeout(kept.expiry);
    this.#bytes -= kept.resultBytes;
    kept.resultBytes = 0;
    await kept.job.results.close();
  }

  #check(bytes: number): void {
    const refusal = this.#refusalOf(bytes);
    if (refusal === undefined) return;
    this.#metrics.refused(refusal.bound);
    throw refusal.error;
  }

  #refusalOf(
    bytes: number,
  ): { readonly bound: "jobs" | "bytes" | "closed"; readonly error: Error } | undefined {
    const { mostBytes, mostJobs } = this.options;
    if (this.#isClosed) {
      const error = new UnavailableError("the daemon is shutting down and takes no new jobs");
      return { bound: "closed", error };
    }
    if (this.#kept.size >= mostJobs) {
      const why = `there are ${this.#kept.size} jobs; allowed: ${mostJobs} (--jobs); DELETE one that has ended, or come back`;
      return { bound: "jobs", error: new UnavailableError(why, comeBackMs) };
    }
    if (bytes > mostBytes) {
      const why = `the job takes ${mib(bytes)} MiB; allowed: ${mib(mostBytes)} (--jobs-mib)`;
      return { bound: "bytes", error: new ProtocolError(why, 413) };
    }
    const taken = this.#bytes + this.#readingBytes;
    if (taken + bytes <= mostBytes) return undefined;
    const why = `jobs take ${mib(taken)} MiB and this one ${mib(bytes)}; allowed: ${mib(mostBytes)} (--jobs-mib)`;
    return { bound: "bytes", error: new UnavailableError(why, comeBackMs) };
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

function ownerOf({ key, tenant }: JobCaller): string {
  return key === undefined ? `tenant ${tenant ?? ""}` : `key ${key}`;
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0);
}
