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
import { ProtocolError, UnavailableError } from "../../../../../protocol/errors.ts";
import { versionedModel } from "../../../../../protocol/model-path.ts";
import { codecHere } from "../../../../../protocol/server/message-codec.ts";
import type { LaneHints } from "../../../lanes.ts";
import type { JobBook, JobView } from "../../jobs/job-book.ts";
import { readJobBody, type SentJob } from "../../jobs/job-body.ts";
import type { JobInput } from "../../jobs/job-input.ts";
import { JobMetrics, type JobsLoad } from "../../jobs/job-metrics.ts";
import type { JobCaller, JobsOptions, ListedJob } from "../../jobs/jobs.ts";
import { RowRoom } from "../../jobs/row-room.ts";
import { metadataOf } from "../../served-answer.ts";
import { type ConsumerLimits, ModelConsumer } from "../model-consumer.ts";
import type { BusDelivery, Ownership } from "../request-bus.ts";
import type { JobFacts, JobRecord } from "./job-log.ts";
import { JobRun } from "./job-run.ts";
import { JobStore } from "./job-store.ts";
import { LoggedJob, statusOf, takenBy } from "./logged-job.ts";

export interface DurableJobsOptions extends JobsOptions {
  readonly maxFileBytes: number;
  readonly limits: ConsumerLimits;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

const sweepEveryMs = 30_000;
const comeBackMs = 10_000;
const [cancelMs, longestReadMs] = [10_000, 5_000];
const nothing = new Uint8Array();

export class DurableJobs implements JobBook {
  readonly options: DurableJobsOptions;
  readonly #room: RowRoom;
  readonly #metrics = new JobMetrics(() => this.load());
  readonly #closing = new AbortController();
  readonly #readers = new Set<object>();
  readonly #runs = new Map<string, JobRun>();
  readonly #changed = new Map<string, Set<() => void>>();
  #engine: Engine | undefined;
  #store: JobStore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #readingBytes = 0;
  #isClosed = false;
  /** Of all daemons, as last looked at. */
  #seen: readonly JobFacts[] = [];

  constructor(options: DurableJobsOptions) {
    this.options = options;
    this.#room = new RowRoom(options.mostRows);
  }

  /** Call it when the daemon has joined. */
  async open(engine: Engine): Promise<void> {
    this.#store = await JobStore.open(engine, this.options.mostBytes);
    this.#engine = engine;
    engine.connection.subscribe(engine.names.jobLogs.copy, {
      callback: (_, { subject, headers }) => {
        const id = subject.split(".").at(-1) as string;
        for (const tell of this.#changed.get(id) ?? []) tell();
        if (headers?.get("spillway-job").includes("isCancelled") === true) this.#runs.get(id)?.cancel();
      },
    });
    this.#timer = setInterval(() => void this.#sweep().catch(() => {}), sweepEveryMs).unref();
    await this.#sweep();
  }

  /** Runs jobs of a model, until the daemon leaves it. */
  serve(model: string): Ownership {
    const engine = this.#engine as Engine;
    const consumer = new ModelConsumer({
      queue: engine.names.jobQueue,
      model,
      engine,
      limits: this.options.limits,
      log: this.options.log,
      handlers: { take: (delivery) => void this.#run(delivery), cancel: () => {} },
      serverNowMs: () => Date.now(),
      store: () => Promise.resolve(false),
    });
    return { leave: () => consumer.leave() };
  }

  load(): JobsLoad {
    const { mostJobs, mostBytes, mostRows } = this.options;
    const taken = takenBy(this.#seen, this.#readingBytes);
    return { ...taken, mostJobs, mostBytes, queuedRows: this.#room.taken, mostQueuedRows: mostRows };
  }

  scrape(): Promise<string> {
    return this.#metrics.text();
  }

  reserve(bytes: number): () => void {
    const { mostBytes, mostJobs } = this.options;
    if (this.#isClosed) throw new UnavailableError("the daemon is shutting down and takes no new jobs");
    if (bytes > mostBytes)
      throw new ProtocolError(`the job takes ${bytes} bytes; allowed: ${mostBytes} (--jobs-mib)`, 413);
    if (this.#seen.length >= mostJobs)
      throw new UnavailableError(
        `there are ${this.#seen.length} jobs; allowed: ${mostJobs} (--jobs); DELETE one that has ended, or come back`,
        comeBackMs,
      );
    if (this.#readingBytes + bytes > mostBytes)
      throw new UnavailableError("jobs that are being read take all of --jobs-mib", comeBackMs);
    this.#readingBytes += bytes;
    let held = bytes;
    return () => {
      this.#readingBytes -= held;
      held = 0;
    };
  }

  async start(model: string, input: JobInput, given: LaneHints, sent: SentJob): Promise<string> {
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
    try {
      await this.#opened().add(id, facts, body);
    } catch (error) {
      throw new SpillwayError(
        "target_unavailable",
        `the NATS server does not take the job (${(error as Error).message})`,
        { cause: error, retryAfterMs: 1_000, isOfTarget: false },
      );
    }
    this.#seen = [...this.#seen, facts];
    this.#metrics.started();
    return id;
  }

  async find(model: string, id: string, { key }: JobCaller = {}): Promise<JobView> {
    const record = /^[\w-]{16}$/.test(id) ? await this.#opened().log.last(id).catch(unavailable) : undefined;
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
    const { log } = this.#opened();
    const found = await this.find(model, id, caller);
    if (found.status().state !== "running") {
      await this.#opened().forget(id).catch(unavailable);
      return found;
    }
    for (;;) {
      const last = await log.last(id).catch(unavailable);
      if (last?.facts.state !== "running" || last.facts.isCancelled === true) break;
      if ((await log.add(id, last.sequence, { ...last.facts, isCancelled: true }, nothing)) !== undefined)
        break;
    }
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
    if (this.#isClosed) return delivery.giveBack(1_000);
    const { daemon, codec = codecHere, timeoutMs } = this.options;
    const timer = setInterval(() => delivery.working(), this.options.limits.ackWaitMs / 3);
    const run = new JobRun({
      id,
      log: this.#opened().log,
      runner: `${this.#engine?.name} ${randomBytes(4).toString("hex")}`,
      parts: { daemon, codec, room: this.#room, timeoutMs },
      read: (facts) => this.#read(id, facts),
    });
    this.#runs.set(id, run);
    const isEnded = await run.run();
    clearInterval(timer);
    this.#runs.delete(id);
    if (isEnded) {
      delivery.drop();
      await this.#opened().forgetInput(id);
    } else if (!run.isTaken) delivery.giveBack(1_000);
  }

  async #read(id: string, { model, type, headerBytes }: JobFacts): Promise<JobInput> {
    const body = await this.#opened().input(id);
    if (body === null) throw new ProtocolError("its input is not there any more", 410);
    const { daemon, codec = codecHere, mostBytes, maxFileBytes } = this.options;
    const metadata = await metadataOf(daemon.models, model).catch(() => undefined);
    const sent = { body: new Uint8Array(body).buffer, type, headerBytes };
    return readJobBody(sent, { codec, metadata, mostBytes, mostFileBytes: maxFileBytes });
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

function unavailable(error: unknown): never {
  if (error instanceof SpillwayError) throw error;
  throw new UnavailableError(
    `the NATS server does not tell of jobs now (${(error as Error).message})`,
    1_000,
  );
}
