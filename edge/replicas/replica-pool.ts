/** The replicas of one model and the queue before them. Free replicas get the batches that the queue decides on. */
import { EventEmitter, once } from "node:events";
import { monotonicClock } from "../../base/clock.ts";
import { ProtocolError, UnavailableError } from "../../protocol/errors.ts";
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import type { Joining } from "../joining/joining.ts";
import { checkRequest, publishedJoining, type PublishedJoining } from "../joining/published-joining.ts";
import type {
  InferenceResult,
  ModelFile,
  ModelRunner,
  ModelStatus,
  RequestResult,
  RunLimits,
} from "../models/model-runner.ts";
import { EventList } from "../observe/events.ts";
import type { BatchEnd } from "../observe/model-statistics.ts";
import { BatchTimes } from "./batch-times.ts";
import { answersOf, joiningOf, learnAtLoad, runNextCheck } from "./join-prover.ts";
import { type FailureKind, type ModelBatch, ModelQueue, type ModelQueueBounds } from "./model-queue.ts";
import { deadlinePassed, joinInputs, PendingRequest } from "./pending-request.ts";
import type { LoadedModel, ReplicaOptions } from "./replica.ts";
import { ReplicaSupervisor } from "./replica-supervisor.ts";

export interface ReplicaPoolOptions extends ReplicaOptions, ModelQueueBounds {
  /** How many processes, an integer from 1. */
  readonly replicas: number;
  /** Which free replica gets a batch: the first one, whose caches are warm, or the next one in turn. */
  readonly balance: "least-work" | "round-robin";
  /** Longest time that a batch may run before its replica is killed. */
  readonly runTimeoutMs: number;
  /** Time that every batch may run; see `BatchTimes`. */
  readonly hangFloorMs?: number;
  /** Called after every batch that a replica has run. */
  readonly onBatch?: (end: BatchEnd) => void;
}

/** Most events of a model that are kept. */
const mostEvents = 100;

export class ReplicaPool implements ModelRunner {
  readonly model: ModelFile;
  metadata: ModelMetadata | undefined = undefined;
  readonly #options: ReplicaPoolOptions;
  readonly #queue: ModelQueue<PendingRequest>;
  readonly #times: BatchTimes;
  readonly #events = new EventList(mostEvents);
  readonly #supervisors: readonly ReplicaSupervisor[];
  readonly #deadline = monotonicClock().createTimer(() => this.#pump());
  /** Emits `change` when `ready` and `close` should look again. */
  readonly #changes = new EventEmitter().setMaxListeners(0);
  /** Undefined until the model was loaded once. */
  #joining: Joining | undefined;
  #lastReplica = -1;
  /** Why a replica last ended or could not be started; undefined once one is up. */
  #downReason: string | undefined;
  #isClosing = false;

  /** Begins to start the replicas. */
  constructor(options: ReplicaPoolOptions) {
    this.model = options.model;
    this.#options = options;
    this.#queue = new ModelQueue({ ...options, mostRowsOf: (key) => this.#joining?.mostRowsOf(key) ?? 1 });
    this.#times = new BatchTimes(options.runTimeoutMs, options.hangFloorMs);
    this.#supervisors = Array.from(
      { length: options.replicas },
      (_, index) =>
        new ReplicaSupervisor(index, options, this.#events, {
          onFree: () => this.#pump(),
          onLoaded: (loaded) => void this.#loaded(loaded, index),
          onDown: (reason) => this.#down(reason),
        }),
    );
  }

  get replicas(): number {
    return this.#options.replicas;
  }

  get isReady(): boolean {
    return !this.#isClosing && this.#upCount > 0 && this.metadata !== undefined;
  }

  get joining(): PublishedJoining | undefined {
    const { metadata, model } = this;
    const { joinsRows = false, isByKey = false } = this.#joining ?? {};
    return metadata && publishedJoining(metadata, model.config, joinsRows, isByKey);
  }

  async ready(): Promise<void> {
    while (this.metadata === undefined) {
      // A replica may end during the proof, after the model was loaded.
      if (this.#downReason !== undefined && this.#joining === undefined) throw new Error(this.#downReason);
      await once(this.#changes, "change");
    }
  }

  checkRoom(bytes: number): void {
    this.#loadedMetadata();
    if (!this.#queue.hasRoom(1, bytes)) throw this.#full();
  }

  async run(request: InferRequest, limits: RunLimits = {}): Promise<RequestResult> {
    const metadata = this.#loadedMetadata();
    const joining = this.#joining as Joining;
    checkRequest(metadata, request.inputs, joining);
    const pending = new PendingRequest(
      request,
      joining.hasSeparateRows,
      limits,
      performance.now(),
      (gone) => {
        this.#queue.remove(gone);
        this.#changes.emit("change");
      },
    );
    if (this.#queue.add(pending)) this.#pump();
    else pending.fail(this.#full());
    return pending.result;
  }

  status(): ModelStatus {
    const down = this.#isUnhealthy ? "unhealthy" : this.metadata === undefined ? "loading" : "down";
    return {
      name: this.model.name,
      version: this.model.version,
      state: this.#isClosing ? "stopping" : this.isReady ? "ready" : down,
      queueRows: this.#queue.rows,
      queueBytes: this.#queue.bytes,
      openRequests: this.#queue.size,
      replicas: this.#supervisors.map((supervisor) => supervisor.status()),
      lastError: this.#downReason,
      joining: this.#joining?.status(),
      events: this.#events.newest,
    };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    while (this.#queue.size > 0 && !this.#isUnhealthy) await once(this.#changes, "change");
    this.#failWaiting("the server is shutting down");
    this.#deadline.clear();
    await Promise.all(this.#supervisors.map((supervisor) => supervisor.close()));
  }

  get #upCount(): number {
    return this.#supervisors.filter(({ state }) => state === "up").length;
  }

  get #isUnhealthy(): boolean {
    return this.#supervisors.every(({ state }) => state === "unhealthy");
  }

  get #unhealthyText(): string {
    return `model ${this.model.name} is unhealthy, its replicas end again and again: ${this.#downReason}`;
  }

  /** @throws UnavailableError when nothing can be run now */
  #loadedMetadata(): ModelMetadata {
    const { name } = this.model;
    if (this.#isClosing) throw new UnavailableError("the server is shutting down");
    if (this.#isUnhealthy) {
      const startsInMs = Math.min(...this.#supervisors.map((supervisor) => supervisor.startsInMs));
      throw new UnavailableError(this.#unhealthyText, startsInMs);
    }
    if (this.metadata !== undefined) return this.metadata;
    throw new UnavailableError(
      this.#downReason === undefined
        ? `model ${name} is not loaded yet`
        : `no replica of ${name} is up: ${this.#downReason}`,
    );
  }

  #full(): UnavailableError {
    const { rows, bytes } = this.#queue;
    const drainMs = (this.#times.expectedMs(rows) ?? 0) / Math.max(1, this.#upCount);
    return new UnavailableError(
      `the queue of ${this.model.name} is full: ${rows} rows with ${bytes} bytes wait`,
      drainMs,
    );
  }

  async #loaded(loaded: LoadedModel, replica: number): Promise<void> {
    if (this.#joining === undefined) {
      this.#joining = joiningOf(loaded, this.#options, this.#events);
      const first = this.#supervisors[replica] as ReplicaSupervisor;
      const untilChange = (): Promise<unknown> => once(this.#changes, "change");
      await learnAtLoad(this.#joining, first, loaded, this.#options, untilChange, () => this.#pump());
      this.metadata = loaded.metadata;
    }
    if (this.#upCount > 0) this.#downReason = undefined;
    this.#changes.emit("change");
  }

  #down(reason: string): void {
    if (this.#upCount === 0) this.#downReason = reason;
    if (this.#isUnhealthy) {
      this.#events.add(`model unhealthy: its replicas end again and again (${reason})`);
      this.#failWaiting(this.#unhealthyText);
    }
    this.#changes.emit("change");
  }

  /** Answer what has expired, then hand a batch to every free replica. */
  #pump(): void {
    for (const expired of this.#queue.expire(performance.now())) expired.fail(deadlinePassed());
    for (;;) {
      const supervisor = this.#freeSupervisor();
      if (supervisor === undefined) break;
      if (this.#beginsCheck(supervisor)) continue;
      const batch = this.#queue.next();
      if (batch === undefined) break;
      this.#lastReplica = supervisor.index;
      this.#runBatch(supervisor, batch).catch((error: Error) => {
        this.#options.log.error({ error }, "fault");
        for (const pending of batch.requests) {
          this.#queue.remove(pending);
          pending.fail(error);
        }
      });
    }
    this.#deadline.setAt(this.#queue.nextDeadlineMs);
    this.#changes.emit("change");
  }

  /** Whether the replica now compares requests alone and in company instead of running a batch. */
  #beginsCheck(supervisor: ReplicaSupervisor): boolean {
    if (this.#isClosing || this.#joining === undefined) return false;
    const checked = runNextCheck(this.#joining, this.#queue, supervisor, this.#times);
    void checked?.then(() => this.#pump());
    return checked !== undefined;
  }

  #freeSupervisor(): ReplicaSupervisor | undefined {
    const free = this.#supervisors.filter(({ isFree }) => isFree);
    if (this.#options.balance === "least-work") return free[0];
    return free.find(({ index }) => index > this.#lastReplica) ?? free[0];
  }

  async #runBatch(supervisor: ReplicaSupervisor, batch: ModelBatch<PendingRequest>): Promise<void> {
    const { requests, places: rows, bytes } = batch;
    const startedAtMs = performance.now();
    const rowsOfEach = requests.map((each) => each.rows);
    const end = await supervisor.run(joinInputs(requests), rowsOfEach, this.#times.limitMs(bytes));
    if (end.kind === "answered") {
      const { serviceMs } = end.result;
      this.#times.observe(rows, bytes, serviceMs);
      const { joinsRows, mostRows } = this.#joining as Joining;
      this.#options.onBatch?.({ model: this.model, rows, mostRows: joinsRows ? mostRows : 1, serviceMs });
      this.#answer(batch, end.result, supervisor.index, startedAtMs);
    } else if (end.kind === "failed") {
      this.#batchFailed(batch, "failed", end.error);
    } else {
      const text = `every replica of ${this.model.name} that ran this request died: ${end.reason}`;
      this.#batchFailed(batch, "died", new ProtocolError(text, 500));
    }
    this.#pump();
  }

  #answer(
    batch: ModelBatch<PendingRequest>,
    { outputs, serviceMs, faults = [] }: InferenceResult,
    replica: number,
    startedAtMs: number,
  ): void {
    const { requests, rows } = batch;
    const queueingS = seconds(startedAtMs - (requests[0] as PendingRequest).arrivedAtMs);
    const facts = { model: this.model.name, replica, requests: requests.length, rows };
    this.#options.log.info({ ...facts, inferenceS: seconds(serviceMs), queueingS }, "batch");
    const served = requests.filter((_, index) => faults[index] === undefined);
    const joining = this.#joining as Joining;
    const parts = answersOf(joining, batch, served, outputs, performance.now() - startedAtMs);
    if (parts === undefined) return this.#batchFailed(batch, "mixed", new Error(joining.reason));
    let nextPart = 0;
    for (const [index, isWanted] of this.#queue.batchSucceeded(batch).entries()) {
      const pending = requests[index] as PendingRequest;
      const fault = faults[index];
      if (fault === undefined) {
        const own = parts[nextPart++] ?? [];
        const queuedMs = startedAtMs - pending.arrivedAtMs;
        const joins = joining.saidOf(pending.key);
        if (isWanted) pending.succeed({ outputs: own, queuedMs, serviceMs, replica, joins });
      } else if (isWanted) pending.fail(new ProtocolError(fault.message, fault.status));
    }
  }

  #batchFailed(batch: ModelBatch<PendingRequest>, kind: FailureKind, error: Error): void {
    const { requests, rows } = batch;
    this.#events.add(`a batch of ${requests.length} requests, ${rows} rows, ${kind}: ${error.message}`);
    for (const pending of this.#queue.batchFailed(batch, kind)) pending.fail(error);
  }

  #failWaiting(message: string): void {
    for (const pending of this.#queue.drain()) pending.fail(new UnavailableError(message));
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
