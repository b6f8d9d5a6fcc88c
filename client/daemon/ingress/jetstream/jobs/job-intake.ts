/** How a daemon that joined takes jobs: refused while there is no room, and told of as soon as the server has them for sure. */
import { randomBytes } from "node:crypto";
import { SpillwayError } from "../../../../../base/errors.ts";
import { ProtocolError, UnavailableError } from "../../../../../protocol/errors.ts";
import type { LaneHints } from "../../../lanes.ts";
import type { SentJob } from "../../jobs/job-body.ts";
import type { JobInput } from "../../jobs/job-input.ts";
import type { JobMetrics } from "../../jobs/job-metrics.ts";
import type { JobsOptions } from "../../jobs/jobs.ts";
import { isFull } from "../bus-streams.ts";
import type { JobFacts, JobRecord } from "./job-log.ts";
import { type JobStore, UnclearJobError } from "./job-store.ts";

/** A job as its caller sent it. */
export interface NewJob {
  readonly model: string;
  readonly input: JobInput;
  readonly given: LaneHints;
  readonly sent: SentJob;
}

const comeBackMs = 10_000;
/** From this share of the bytes on, what is left is for the results of the jobs that there are. */
const mostTakenShare = 0.9;
/** Most jobs that this daemon tells of by itself, because the server is away. */
const mostFresh = 100;
const nothing = new Uint8Array();

export class JobIntake {
  readonly options: JobsOptions;
  readonly #metrics: JobMetrics;
  readonly #closing: AbortSignal;
  /** First records of the jobs that were taken last. */
  readonly #fresh = new Map<string, JobRecord>();
  #isClosed = false;
  /** Of bodies that are being read. */
  readingBytes = 0;

  constructor(options: JobsOptions, metrics: JobMetrics, closing: AbortSignal) {
    this.options = options;
    this.#metrics = metrics;
    this.#closing = closing;
  }

  /** What is known of a job that was taken here, where the server does not tell. */
  fresh(id: string): JobRecord | undefined {
    return this.#fresh.get(id);
  }

  forget(id: string): void {
    this.#fresh.delete(id);
  }

  close(): void {
    this.#isClosed = true;
  }

  /**
   * Room for a body before it is read.
   *
   * @param jobs that there are
   */
  reserve(bytes: number, jobs: number): () => void {
    const { mostBytes, mostJobs } = this.options;
    if (this.#isClosed) throw this.#refused("closed", "the daemon is shutting down and takes no new jobs", 0);
    if (bytes > mostBytes)
      throw new ProtocolError(`the job takes ${bytes} bytes; allowed: ${mostBytes} (--jobs-mib)`, 413);
    if (jobs >= mostJobs)
      throw this.#refused(
        "jobs",
        `there are ${jobs} jobs; allowed: ${mostJobs} (--jobs); DELETE one that has ended, or come back`,
      );
    if (this.readingBytes + bytes > mostBytes)
      throw this.#refused("bytes", "jobs that are being read take all of --jobs-mib");
    this.readingBytes += bytes;
    let held = bytes;
    return () => {
      this.readingBytes -= held;
      held = 0;
    };
  }

  /** Resolves when the job will be run for sure. */
  async take(
    store: JobStore,
    { model, input, given, sent }: NewJob,
  ): Promise<{ readonly id: string; readonly facts: JobFacts }> {
    const id = randomBytes(12).toString("base64url");
    const { key, tenant, lane = this.options.lane } = given;
    const body = new Uint8Array(sent.body);
    const facts: JobFacts = {
      model,
      state: "running",
      rows: input.rows,
      done: 0,
      failed: 0,
      served_by: {},
      startedAtMs: Date.now(),
      inputBytes: body.length,
      resultBytes: 0,
      key,
      tenant,
      lane,
      type: sent.type,
      headerBytes: sent.headerBytes,
    };
    await this.#checkRoom(store);
    try {
      await store.add(id, facts, body);
    } catch (error) {
      throw this.#notTaken(store, id, error);
    }
    this.#fresh.set(id, { sequence: 0, facts, lines: nothing });
    for (const oldest of this.#fresh.keys()) if (this.#fresh.size > mostFresh) this.#fresh.delete(oldest);
    this.#metrics.started();
    return { id, facts };
  }

  async #checkRoom(store: JobStore): Promise<void> {
    const { bytes, mostBytes } = await store.log.load().catch(unavailable);
    if (bytes <= mostTakenShare * mostBytes) return;
    throw this.#refused(
      "bytes",
      `the results of all jobs take ${mib(bytes)} of ${mib(mostBytes)} MiB (--jobs-mib), and what is left is for those jobs;` +
        " DELETE one that has ended, or come back",
    );
  }

  #refused(bound: "jobs" | "bytes" | "closed", why: string, afterMs = comeBackMs): UnavailableError {
    this.#metrics.refused(bound);
    return new UnavailableError(why, afterMs);
  }

  #notTaken(store: JobStore, id: string, error: unknown): Error {
    if (isFull(error)) return this.#refused("bytes", "the inputs of all jobs take all of --jobs-mib");
    const isUnclear = error instanceof UnclearJobError;
    if (isUnclear) void store.takeBack(id, this.#closing).catch(() => {});
    const why = isUnclear
      ? `the NATS server did not say whether it has the job (${error.message}); where it has, the job is taken back once the` +
        ` server answers: look for ${id} then, before you send it again`
      : `the NATS server does not take the job (${(error as Error).message})`;
    const options = { cause: error, retryAfterMs: 1_000, isOfTarget: false };
    return new SpillwayError("target_unavailable", why, options);
  }
}

export function unavailable(error: unknown): never {
  if (error instanceof SpillwayError) throw error;
  throw new UnavailableError(
    `the NATS server does not tell of jobs now (${(error as Error).message})`,
    1_000,
  );
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
