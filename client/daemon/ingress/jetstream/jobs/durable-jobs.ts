/**
 * The jobs of daemons that joined others: input, progress and results are on the server, any daemon tells of them, and one
 * that serves the model runs them. When it ends, however it ends, another goes on behind the last line.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { SpillwayError } from "../../../../../base/errors.ts";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { showValue } from "../../../../../base/error-text.ts";
import { ProtocolError } from "../../../../../protocol/errors.ts";
import { versionedModel } from "../../../../../protocol/model-path.ts";
import { codecHere } from "../../../../../protocol/server/message-codec.ts";
import type { LaneHints } from "../../../lanes.ts";
import type { JobBook, JobView } from "../../jobs/job-book.ts";
import type { SentJob } from "../../jobs/job-body.ts";
import type { JobInput } from "../../jobs/job-input.ts";
import { JobMetrics, type JobsLoad } from "../../jobs/job-metrics.ts";
import type { JobCaller, JobsOptions, ListedJob } from "../../jobs/jobs.ts";
import { RowRoom } from "../../jobs/row-room.ts";
import { type ConsumerLimits, ModelConsumer } from "../model-consumer.ts";
import { ModelParts } from "../owners/model-parts.ts";
import type { SharedOwners } from "../owners/shared-owners.ts";
import type { BusDelivery, Ownership } from "../request-bus.ts";
import { cancelInLog } from "./cancel-job.ts";
import { JobIntake, unavailable } from "./job-intake.ts";
import type { JobFacts, JobRecord } from "./job-log.ts";
import { tellsCancelled } from "./job-log.ts";
import { JobRun } from "./job-run.ts";
import { JobStore } from "./job-store.ts";
import { LoggedJob, statusOf, takenBy } from "./logged-job.ts";
import { readKeptInput, whyGivenBack } from "./read-kept-input.ts";

export interface DurableJobsOptions extends JobsOptions {
  readonly maxFileBytes: number;
  /** As in `JobStoreOptions`. */
  readonly handOverMs?: number;
  readonly limits: ConsumerLimits;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

const sweepEveryMs = 30_000;
const [cancelMs, longestReadMs] = [10_000, 5_000];
/** When inputs are looked at that have no job. */
const sweepInputsEveryMs = 300_000;
/** Pauses before a job is taken again that could not be run: they double from the first one on. */
const [firstPauseMs, longestPauseMs] = [1_000, 30_000];

export class DurableJobs implements JobBook {
  readonly options: DurableJobsOptions;
  readonly #room: RowRoom;
  readonly #intake: JobIntake;
  readonly #metrics = new JobMetrics(() => this.load());
  readonly #closing = new AbortController();
  readonly #readers = new Set<object>();
  readonly #runs = new Map<string, JobRun>();
  readonly #changed = new Map<string, Set<() => void>>();
  #sweptInputsAtMs = performance.now();
  #engine: Engine | undefined;
  #owners: SharedOwners | undefined;
  #store: JobStore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Of all daemons, as last looked at. */
  #seen: readonly JobFacts[] = [];

  constructor(options: DurableJobsOptions) {
    this.options = options;
    this.#room = new RowRoom(options.mostRows);
    this.#intake = new JobIntake(options, this.#metrics, this.#closing.signal);
  }

  /** Call it when the daemon has joined. Jobs of a model with several owners go to the one that has its first part. */
  async open(engine: Engine, owners?: SharedOwners): Promise<void> {
    this.#owners = owners;
    this.#store = await JobStore.open(engine, this.options);
    this.#engine = engine;
    engine.connection.subscribe(engine.names.jobLogs.copy, {
      callback: (_, { subject, headers }) => {
        const id = subject.split(".").at(-1) as string;
        for (const tell of this.#changed.get(id) ?? []) tell();
        if (tellsCancelled(headers)) this.#runs.get(id)?.cancel();
      },
    });
    this.#timer = setInterval(() => void this.#sweep().catch(() => {}), sweepEveryMs).unref();
    await this.#sweep();
  }

  /** Runs jobs of a model, until the daemon leaves it. */
  serve(model: string): Ownership {
    const engine = this.#engine as Engine;
    return new ModelParts({
      model,
      queue: engine.names.jobQueue,
      owners: this.#owners,
      parts: () => 1,
      consume: (queue) =>
        new ModelConsumer({
          queue,
          model,
          engine,
          limits: this.options.limits,
          log: this.options.log,
          handlers: { take: (delivery) => void this.#run(delivery), cancel: () => {} },
          serverNowMs: () => Date.now(),
          store: () => Promise.resolve(false),
        }),
    });
  }

  load(): JobsLoad {
    const { mostJobs, mostBytes, mostRows } = this.options;
    const taken = takenBy(this.#seen, this.#intake.readingBytes);
    return { ...taken, mostJobs, mostBytes, queuedRows: this.#room.taken, mostQueuedRows: mostRows };
  }

  scrape(): Promise<string> {
    return this.#metrics.text();
  }

  reserve(bytes: number): () => void {
    return this.#intake.reserve(bytes, this.#seen.length);
  }

  async start(model: string, input: JobInput, given: LaneHints, sent: SentJob): Promise<string> {
    const { id, facts } = await this.#intake.take(this.#opened(), { model, input, given, sent });
    this.#seen = [...this.#seen, facts];
    return id;
  }

  async find(model: string, id: string, { key }: JobCaller = {}): Promise<JobView> {
    const isId = /^[\w-]{16}$/.test(id);
    // Who was just told of a job is told of it again, though the server does not answer now.
    const kept = (error: unknown): JobRecord => this.#intake.fresh(id) ?? unavailable(error);
    const record = isId ? await this.#opened().log.last(id).catch(kept) : undefined;
    const isTheirs = key === undefined || key === record?.facts.key;
    if (record !== undefined && isTheirs && versionedModel(record.facts.model).model === model)
      return this.#viewOf(id, record);
    throw new ProtocolError(
      `no job ${showValue(id)}; results are kept for ${this.options.keepMs / 1_000} s after a job's end`,
      404,
    );
  }

  async listed(caller: JobCaller, model?: string): Promise<readonly ListedJob[]> {
    const records = await this.#all().catch(unavailable);
    return records
      .filter(({ facts }) => ownerOf(facts) === ownerOf(caller))
      .filter(({ facts }) => model === undefined || versionedModel(facts.model).model === model)
      .toSorted((a, b) => b.facts.startedAtMs - a.facts.startedAtMs)
      .map(({ id, facts }) => {
        const bytes = { input_bytes: facts.inputBytes, result_bytes: facts.resultBytes };
        return Object.assign({ id, model: facts.model }, statusOf(facts), bytes);
      });
  }

  async remove(model: string, id: string, caller: JobCaller = {}): Promise<JobView> {
    const store = this.#opened();
    const found = await this.find(model, id, caller);
    if (found.status().state !== "running") {
      this.#intake.forget(id);
      await store.forget(id).catch(unavailable);
      return found;
    }
    await cancelInLog(store.log, id).catch(unavailable);
    const untilMs = performance.now() + cancelMs;
    for (;;) {
      const view = await this.find(model, id, caller);
      if (view.status().state !== "running" || performance.now() > untilMs) return view;
      await delay(50);
    }
  }

  reader(): { readonly closing: AbortSignal; readonly end: () => void } {
    const token = {};
    this.#readers.add(token);
    return { closing: this.#closing.signal, end: () => void this.#readers.delete(token) };
  }

  retire(): void {
    this.#isClosed = true;
    this.#intake.close();
    clearInterval(this.#timer);
    for (const run of this.#runs.values()) run.retire();
  }

  async close(): Promise<void> {
    this.retire();
    const untilMs = performance.now() + longestReadMs;
    while ((this.#readers.size > 0 || this.#runs.size > 0) && performance.now() < untilMs) await delay(20);
    this.#closing.abort();
  }

  async #run(delivery: BusDelivery): Promise<void> {
    const id = delivery.key.split(".").at(-1) as string;
    // It was delivered again, because nobody could be told that it is in work.
    if (this.#runs.has(id)) return;
    if (this.#isClosed) return delivery.giveBack(firstPauseMs);
    const { daemon, codec = codecHere, timeoutMs, log } = this.options;
    const store = this.#opened();
    const timer = setInterval(() => delivery.working(), this.options.limits.ackWaitMs / 3);
    const run = new JobRun({
      id,
      log: store.log,
      runner: `${this.#engine?.name} ${randomBytes(4).toString("hex")}`,
      parts: { daemon, codec, room: this.#room, timeoutMs },
      read: async (facts) => readKeptInput(await store.input(id), facts, this.options),
    });
    this.#runs.set(id, run);
    const isEnded = await run.run();
    clearInterval(timer);
    this.#runs.delete(id);
    if (isEnded) {
      delivery.drop();
      return store.forgetInput(id);
    }
    if (run.isTaken) return;
    if (run.why === undefined) return delivery.giveBack(firstPauseMs);
    log.warn({ job: id, why: whyGivenBack(run.why) }, "a job cannot be run now; trying again");
    delivery.giveBack(Math.min(firstPauseMs * 2 ** Math.min(delivery.deliveries - 1, 10), longestPauseMs));
  }

  #viewOf(id: string, record: JobRecord): JobView {
    return new LoggedJob(id, record, this.#opened().log, (tell) => {
      const listeners = this.#changed.get(id) ?? new Set();
      listeners.add(tell);
      this.#changed.set(id, listeners);
      return () => {
        listeners.delete(tell);
        if (listeners.size === 0) this.#changed.delete(id);
      };
    });
  }

  /** Forgets jobs whose time is over, and has run again what is running by nobody. */
  async #sweep(): Promise<void> {
    const all = await this.#all();
    const nowMs = performance.now();
    if (nowMs - this.#sweptInputsAtMs >= sweepInputsEveryMs) {
      this.#sweptInputsAtMs = nowMs;
      const inputs = await this.#opened().sweepInputs(Date.now());
      if (inputs > 0) this.options.log.info({ inputs }, "removed inputs of no job");
    }
    this.#seen = all.map(({ facts }) => facts);
    for (const { id, facts } of all) {
      if (facts.endedAtMs !== undefined && facts.endedAtMs + this.options.keepMs < Date.now())
        await this.#opened().forget(id);
      // Refused where it is in the queue, in work or not.
      else if (facts.state === "running")
        await this.#opened()
          .enqueue(facts.model, id)
          .catch(() => {});
    }
  }

  #all(): Promise<{ readonly id: string; readonly facts: JobFacts }[]> {
    return this.#opened().all(2 * this.options.mostJobs);
  }

  #opened(): JobStore {
    if (this.#store === undefined) throw new SpillwayError("queue_starting");
    return this.#store;
  }
}

function ownerOf({ key, tenant }: JobCaller): string {
  return key === undefined ? `tenant ${tenant ?? ""}` : `key ${key}`;
}
