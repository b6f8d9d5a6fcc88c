/** The replicas of one model and the queue before them. Free replicas get the batches that the queue decides on. */
import { EventEmitter, once } from "node:events";
import { monotonicClock } from "../../base/clock.ts";
import { onceATurn } from "../../base/program/turns.ts";
import { type OverloadedError, ProtocolError } from "../../protocol/errors.ts";
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
import { answerableMs } from "../observe/loop-lag.ts";
import { freeCount, learnTime, logBatch, nextFree, upCount } from "./batch-start.ts";
import { BatchTimes } from "./batch-times.ts";
import { allDied, downError, downState, shuttingDown } from "./down-state.ts";
import { DropLog } from "./drop-log.ts";
import { answersOf, joiningOf, learnAtLoad, runNextCheck } from "./join-prover.ts";
import { type DropReason, type FailureKind, type ModelBatch, ModelQueue } from "./model-queue.ts";
import { answerEach, deadlinePassed, joinInputs, PendingRequest, resultOf } from "./pending-request.ts";
import type { LoadedModel } from "./replica.ts";
import type { PoolKnowledge, ReplicaPoolOptions } from "./replica-pool-options.ts";
import { ReplicaSupervisor } from "./replica-supervisor.ts";
import { ServiceTimes } from "./service-times.ts";

/** Most events of a model that are kept. */
const mostEvents = 100;
/** Of requests that the queue is too long for, one in so many is read before it is refused. */
const readEvery = 16;

export class ReplicaPool implements ModelRunner {
  readonly model: ModelFile;
  metadata: ModelMetadata | undefined = undefined;
  readonly #options: ReplicaPoolOptions;
  readonly #queue: ModelQueue<PendingRequest>;
  readonly #times: BatchTimes;
  readonly #serviceTimes: ServiceTimes;
  readonly #drops: DropLog;
  readonly #events = new EventList(mostEvents);
  readonly #supervisors: readonly ReplicaSupervisor[];
  readonly #deadline = monotonicClock().createTimer(() => this.#pump());
  readonly #pumpAtTurnsEnd = onceATurn(() => this.#pump());
  /** Emits `change` when `ready` and `close` should look again. */
  readonly #changes = new EventEmitter().setMaxListeners(0);
  /** Undefined until the model was loaded once. */
  #joining: Joining | undefined;
  #wasLoaded = false;
  #lastReplica = -1;
  #unread = 0;
  /** Why a replica last ended or could not be started; undefined once one is up. */
  #downReason: string | undefined;
  #isClosing = false;
  /** Whether the last batch had several requests. */
  #comeTogether = false;

  /** Begins to start the replicas. */
  constructor(options: ReplicaPoolOptions) {
    this.model = options.model;
    this.#options = options;
    this.#joining = options.known?.joining;
    this.#serviceTimes = options.known?.serviceTimes ?? new ServiceTimes();
    const mostRowsOf = (key: string): number => this.#joining?.mostRowsOf(key) ?? 1;
    this.#queue = new ModelQueue({ ...options, mostRowsOf }, this.#serviceTimes);
    this.#drops = new DropLog(options.model.name, options.log);
    this.#times = new BatchTimes(options.runTimeoutMs, options.hangFloorMs);
    this.#supervisors = Array.from(
      { length: options.replicas },
      (_, index) =>
        new ReplicaSupervisor(index, options, this.#events, {
          onFree: () => this.#pump(),
          onLoaded: (loaded) => void this.#loaded(loaded, index),
          onDown: (reason) => this.#down(reason),
          wasLoaded: () => this.#wasLoaded,
        }),
    );
  }

  get replicas(): number {
    return this.#options.replicas;
  }

  get knowledge(): PoolKnowledge {
    return { joining: this.#joining, serviceTimes: this.#serviceTimes };
  }

  get isReady(): boolean {
    return !this.#isClosing && upCount(this.#supervisors) > 0 && this.metadata !== undefined;
  }

  get joining(): PublishedJoining | undefined {
    const { joinsRows = false, isByKey = false } = this.#joining ?? {};
    return this.metadata && publishedJoining(this.metadata, this.model.config, joinsRows, isByKey);
  }

  async ready(): Promise<void> {
    while (this.metadata === undefined) {
      // A replica may end during the proof, after the model was loaded.
      if (this.#downReason !== undefined && !this.#wasLoaded) throw new Error(this.#downReason);
      await once(this.#changes, "change");
    }
  }

  checkRoom(bytes: number): void {
    this.#loadedMetadata();
    const refused = this.#queue.refusal(1, bytes, this.#liveReplicas);
    // Some are read all the same, since one of another priority might have room.
    if (refused === "full" || (refused !== undefined && ++this.#unread % readEvery !== 0))
      throw this.#dropped(refused);
  }

  run(request: InferRequest, limits: RunLimits = {}): Promise<RequestResult> {
    return resultOf(() => this.#accepted(request, limits));
  }

  #accepted(request: InferRequest, { deadlineAtMs = Infinity, hungUp }: RunLimits): PendingRequest {
    const metadata = this.#loadedMetadata();
    const joining = this.#joining as Joining;
    checkRequest(metadata, request, joining);
    const pending = new PendingRequest(request, joining.hasSeparateRows, deadlineAtMs, performance.now());
    const refused = this.#queue.add(pending, answerableMs(), this.#liveReplicas);
    if (refused !== undefined) throw this.#dropped(refused);
    pending.endOn(hungUp, () => {
      this.#queue.remove(pending);
      this.#changes.emit("change");
    });
    this.#pumpSoon();
    return pending;
  }

  status(): ModelStatus {
    return {
      name: this.model.name,
      version: this.model.version,
      state: this.#isClosing ? "stopping" : this.isReady ? "ready" : this.#downState,
      queueRows: this.#queue.rows,
      queueBytes: this.#queue.bytes,
      openRequests: this.#queue.size,
      replicas: this.#supervisors.map((supervisor) => supervisor.status()),
      lastError: this.#downReason,
      dropped: this.#drops.counts,
      joining: this.#joining?.status(),
      events: this.#events.newest,
    };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    while (this.#queue.size > 0 && !this.#isUnhealthy) await once(this.#changes, "change");
    this.#failWaiting(shuttingDown());
    this.#deadline.clear();
    await Promise.all(this.#supervisors.map((supervisor) => supervisor.close()));
  }

  /** How many share the work; one that is down will be up again. */
  get #liveReplicas(): number {
    return Math.max(1, upCount(this.#supervisors));
  }

  get #downState(): ReturnType<typeof downState> {
    const states = this.#supervisors.map(({ state }) => state);
    return downState(states, this.metadata !== undefined, this.#downReason !== undefined);
  }

  /** Whether requests that wait would wait for too long. */
  get #isUnhealthy(): boolean {
    return this.#downState === "unhealthy" || this.#downState === "failed";
  }

  get #downError(): ProtocolError {
    const startsInMs = Math.min(...this.#supervisors.map((supervisor) => supervisor.startsInMs));
    return downError(this.#downState, this.model.name, this.#downReason, startsInMs);
  }

  /** @throws UnavailableError when nothing can be run now */
  #loadedMetadata(): ModelMetadata {
    if (this.#isClosing) throw shuttingDown();
    if (this.metadata === undefined || this.#isUnhealthy) throw this.#downError;
    return this.metadata;
  }

  #dropped(reason: DropReason): OverloadedError {
    const { rows, bytes, workMs } = this.#queue;
    const waiting = { rows, bytes, waitMs: workMs / this.#liveReplicas };
    return this.#drops.dropped(reason, waiting, performance.now());
  }

  async #loaded(loaded: LoadedModel, replica: number): Promise<void> {
    this.#wasLoaded = true;
    if (this.#joining !== undefined) this.metadata ??= loaded.metadata;
    else {
      this.#joining = joiningOf(loaded, this.#options, this.#events);
      const first = this.#supervisors[replica] as ReplicaSupervisor;
      const untilChange = (): Promise<unknown> => once(this.#changes, "change");
      await learnAtLoad(this.#joining, first, loaded, this.#options, untilChange, () => this.#pump());
      this.metadata = loaded.metadata;
    }
    if (upCount(this.#supervisors) > 0) this.#downReason = undefined;
    this.#changes.emit("change");
  }

  #down(reason: string): void {
    if (upCount(this.#supervisors) === 0) this.#downReason = reason;
    if (this.#isUnhealthy) {
      if (this.#downState === "unhealthy")
        this.#events.add(`model unhealthy: its replicas end again and again (${reason})`);
      this.#failWaiting(this.#downError);
    }
    this.#changes.emit("change");
  }

  /** At once if `rows` wait or one comes at a time; else once all is read that has come in this turn, for one batch. */
  #pumpSoon(rows = this.#options.maxBatchRows): void {
    const isTogether = this.#comeTogether && freeCount(this.#supervisors) < 2;
    if (isTogether && this.#queue.rows < rows) this.#pumpAtTurnsEnd();
    else this.#pump();
  }

  /** Answer what has expired, then hand a batch to every free replica, and answer what can no longer be in time. */
  #pump(): void {
    for (const expired of this.#queue.expire(performance.now())) expired.fail(deadlinePassed());
    for (;;) {
      const supervisor = nextFree(this.#supervisors, this.#options.balance, this.#lastReplica);
      if (supervisor === undefined) break;
      if (this.#beginsCheck(supervisor)) continue;
      const { batch, givenUp } = this.#queue.next(answerableMs(), this.#liveReplicas);
      for (const pending of givenUp) pending.fail(this.#dropped("given-up"));
      if (batch === undefined) break;
      this.#lastReplica = supervisor.index;
      this.#comeTogether = batch.requests.length > 1;
      this.#runBatch(supervisor, batch).catch((error: Error) => {
        this.#options.log.error({ error }, "fault");
        this.#queue.batchSucceeded(batch);
        for (const pending of batch.requests) pending.fail(error);
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

  async #runBatch(supervisor: ReplicaSupervisor, batch: ModelBatch<PendingRequest>): Promise<void> {
    const { requests, places: rows, bytes } = batch;
    const startedAtMs = performance.now();
    const rowsOfEach = requests.map((each) => each.rows);
    const end = await supervisor.run(joinInputs(requests), rowsOfEach, this.#times.limitMs(bytes));
    if (end.kind === "answered") {
      const { serviceMs } = end.result;
      this.#times.observe(bytes, serviceMs);
      learnTime(this.#serviceTimes, batch, startedAtMs);
      const { joinsRows, mostRows } = this.#joining as Joining;
      this.#options.onBatch?.({ model: this.model, rows, mostRows: joinsRows ? mostRows : 1, serviceMs });
      this.#answer(batch, end.result, supervisor.index, startedAtMs);
    } else if (end.kind === "failed") {
      this.#batchFailed(batch, "failed", end.error);
    } else {
      this.#batchFailed(batch, "died", allDied(this.model.name, end.reason));
    }
    this.#pumpSoon(batch.places);
  }

  #answer(
    batch: ModelBatch<PendingRequest>,
    { outputs, serviceMs, faults = [] }: InferenceResult,
    replica: number,
    startedAtMs: number,
  ): void {
    const { requests } = batch;
    logBatch(this.#options.log, { model: this.model.name, replica }, batch, serviceMs, startedAtMs);
    const served = requests.filter((_, index) => faults[index] === undefined);
    const joining = this.#joining as Joining;
    const parts = answersOf(joining, batch, served, outputs, performance.now() - startedAtMs);
    if (parts === undefined) return this.#batchFailed(batch, "mixed", new Error(joining.reason));
    const isWanted = this.#queue.batchSucceeded(batch);
    answerEach(requests, isWanted, parts, faults, ({ arrivedAtMs, key }) => {
      return { queuedMs: startedAtMs - arrivedAtMs, serviceMs, replica, joins: joining.saidOf(key) };
    });
  }

  #batchFailed(batch: ModelBatch<PendingRequest>, kind: FailureKind, error: Error): void {
    const { requests, rows } = batch;
    this.#events.add(`a batch of ${requests.length} requests, ${rows} rows, ${kind}: ${error.message}`);
    for (const pending of this.#queue.batchFailed(batch, kind)) pending.fail(error);
  }

  #failWaiting(error: ProtocolError): void {
    for (const pending of this.#queue.drain()) pending.fail(error);
  }
}
