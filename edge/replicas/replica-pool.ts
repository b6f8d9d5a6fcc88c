/**
 * The replicas of one model and the queue before them: the effects around `ModelQueue`. Whenever a request comes, a
 * run ends or a deadline passes, every replica that is free is handed the batch that the queue decides on.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import { rowsOf } from "../../protocol/stack.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { Changes } from "./changes.ts";
import { checkInputs, joinsRows } from "../server/check-inputs.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { EventList } from "./event-list.ts";
import { cutOutputs, joinInputs } from "./joined-rows.ts";
import { type Batch, type Misfortune, ModelQueue, type QueueBounds } from "./model-queue.ts";
import type {
  InferenceResult,
  ModelFile,
  ModelRunner,
  RequestResult,
  RunLimits,
} from "../models/model-runner.ts";
import type { ModelStatus } from "../models/model-status.ts";
import type { BatchEnd } from "../observe/observer.ts";
import { PendingRequest } from "./pending-request.ts";
import type { ReplicaOptions } from "./replica.ts";
import { ReplicaKeeper } from "./replica-keeper.ts";
import { type HangLimits, ServiceTimes } from "./service-times.ts";
import { UnavailableError } from "./unavailable-error.ts";

/**
 * Which of several free replicas gets a batch. No free one has work outstanding, so `least-work` takes the first,
 * whose caches are warm; `round-robin` takes the next in turn.
 */
export type Balance = "least-work" | "round-robin";

export interface ReplicaPoolOptions extends ReplicaOptions, QueueBounds, HangLimits {
  /** How many processes, an integer from 1. */
  readonly replicas: number;
  readonly balance: Balance;
  /** Told of every batch that a replica has run. */
  readonly onBatch?: (end: BatchEnd) => void;
}

export class ReplicaPool implements ModelRunner {
  readonly model: ModelFile;
  metadata: ModelMetadata | undefined = undefined;
  readonly #options: ReplicaPoolOptions;
  readonly #queue: ModelQueue<PendingRequest>;
  readonly #times: ServiceTimes;
  readonly #events = new EventList();
  readonly #keepers: readonly ReplicaKeeper[];
  readonly #deadline = new DeadlineTimer(() => this.#pump());
  readonly #changes = new Changes();
  #lastReplica = -1;
  /** Why a replica last ended or could not be started; undefined once one is up. */
  #downFault: string | undefined;
  #isRetired = false;
  #isClosing = false;

  /** Begins to start the replicas. */
  constructor(options: ReplicaPoolOptions) {
    this.model = options.model;
    this.#options = options;
    this.#queue = new ModelQueue(options);
    this.#times = new ServiceTimes(options);
    const on = {
      onFree: () => this.#pump(),
      onLoaded: (metadata: ModelMetadata) => this.#loaded(metadata),
      onDown: (reason: string) => this.#down(reason),
    };
    this.#keepers = Array.from(
      { length: options.replicas },
      (_, index) => new ReplicaKeeper(index, options, this.#events, on),
    );
  }

  get replicas(): number {
    return this.#options.replicas;
  }

  get isReady(): boolean {
    return !this.#isRetired && this.#keepers.some(({ isUp }) => isUp);
  }

  async ready(): Promise<void> {
    while (this.metadata === undefined) {
      if (this.#downFault !== undefined) throw new Error(this.#downFault);
      await this.#changes.next();
    }
  }

  checkRoom(bytes: number): void {
    this.#loadedMetadata();
    if (!this.#queue.hasRoom(1, bytes)) throw this.#full();
  }

  async run(request: InferRequest, limits: RunLimits = {}): Promise<RequestResult> {
    const metadata = this.#loadedMetadata();
    checkInputs(metadata, request.inputs);
    const nowMs = performance.now();
    const { deadlineAtMs = Infinity, hungUp } = limits;
    if (deadlineAtMs <= nowMs) throw deadlinePassed();
    if (hungUp?.aborted === true) throw new ProtocolError("the caller went away", 499);
    // Of a model that does not join rows, inputs need not have rows at all.
    const rows = joinsRows(metadata) ? rowsOf(request) : 1;
    const pending = new PendingRequest(request, rows, limits, nowMs, (gone) => {
      this.#queue.remove(gone);
      this.#changes.tell();
    });
    if (this.#queue.add(pending)) this.#pump();
    else pending.fail(this.#full());
    return pending.result;
  }

  /** Say from now on that the model is not ready, and still serve it. */
  retire(): void {
    this.#isRetired = true;
  }

  status(): ModelStatus {
    const isUp = this.#keepers.some((keeper) => keeper.isUp);
    const down = this.#isUnhealthy ? "unhealthy" : this.metadata === undefined ? "loading" : "down";
    return {
      name: this.model.name,
      version: this.model.version,
      state: this.#isRetired ? "stopping" : isUp ? "ready" : down,
      queueRows: this.#queue.rows,
      queueBytes: this.#queue.bytes,
      openRequests: this.#queue.size,
      replicas: this.#keepers.map((keeper) => keeper.status()),
      lastError: this.#downFault,
      events: this.#events.newest,
    };
  }

  async close(): Promise<void> {
    this.#isRetired = true;
    this.#isClosing = true;
    while (this.#queue.size > 0 && !this.#isUnhealthy) await this.#changes.next();
    this.#failWaiting("the server is shutting down");
    this.#deadline.clear();
    await Promise.all(this.#keepers.map((keeper) => keeper.close()));
  }

  get #isUnhealthy(): boolean {
    return this.#keepers.every(({ state }) => state === "unhealthy");
  }

  /** @throws UnavailableError when nothing can be run now */
  #loadedMetadata(): ModelMetadata {
    const { name } = this.model;
    if (this.#isClosing) throw new UnavailableError("the server is shutting down");
    if (this.#isUnhealthy) {
      const inMs = Math.min(...this.#keepers.map(({ startsInMs }) => startsInMs));
      throw new UnavailableError(
        `model ${name} is unhealthy, its replicas end again and again: ${this.#downFault}`,
        inMs,
      );
    }
    if (this.metadata !== undefined) return this.metadata;
    throw new UnavailableError(
      this.#downFault === undefined
        ? `model ${name} is not loaded yet`
        : `no replica of ${name} is up: ${this.#downFault}`,
    );
  }

  #full(): UnavailableError {
    const { rows, bytes } = this.#queue;
    const up = this.#keepers.filter(({ isUp }) => isUp).length;
    const drainMs = (this.#times.expectedMs(rows) ?? 0) / Math.max(1, up);
    return new UnavailableError(
      `${rows} rows with ${bytes} bytes wait for ${this.model.name} already`,
      drainMs,
    );
  }

  #loaded(metadata: ModelMetadata): void {
    this.metadata = metadata;
    this.#downFault = undefined;
    if (!joinsRows(metadata)) this.#queue.maxBatchRows = 1;
    this.#changes.tell();
  }

  #down(reason: string): void {
    if (this.#keepers.every(({ isUp }) => !isUp)) this.#downFault = reason;
    if (this.#isUnhealthy) {
      this.#events.add(`model unhealthy: its replicas end again and again (${reason})`);
      this.#failWaiting(`model ${this.model.name} is unhealthy, its replicas end again and again: ${reason}`);
    }
    this.#changes.tell();
  }

  #pump(): void {
    for (const expired of this.#queue.expire(performance.now())) expired.fail(deadlinePassed());
    for (;;) {
      const keeper = this.#freeKeeper();
      const batch = keeper && this.#queue.next();
      if (keeper === undefined || batch === undefined) break;
      this.#lastReplica = keeper.index;
      this.#runBatch(keeper, batch).catch((error: Error) => {
        this.#options.log.error({ error }, "fault");
        for (const pending of batch.requests) {
          this.#queue.remove(pending);
          pending.fail(error);
        }
      });
    }
    this.#deadline.setAt(this.#queue.nextDeadlineMs);
    this.#changes.tell();
  }

  #freeKeeper(): ReplicaKeeper | undefined {
    const idle = this.#keepers.filter(({ state }) => state === "idle");
    if (this.#options.balance === "least-work") return idle[0];
    return idle.find(({ index }) => index > this.#lastReplica) ?? idle[0];
  }

  async #runBatch(keeper: ReplicaKeeper, batch: Batch<PendingRequest>): Promise<void> {
    const { requests, rows, bytes } = batch;
    const startedAtMs = performance.now();
    const inputs = joinInputs(requests);
    const limitMs = this.#times.limitMs(bytes);
    const end = await keeper.run({ inputs, rows: requests.map((each) => each.rows), limitMs });
    if (end.kind === "answered") {
      this.#times.observe(rows, bytes, end.result.serviceMs);
      const { maxBatchRows: mostRows } = this.#queue;
      this.#options.onBatch?.({ model: this.model, rows, mostRows, serviceMs: end.result.serviceMs });
      this.#answer(batch, end.result, keeper.index, startedAtMs);
    } else if (end.kind === "failed") {
      this.#unfortunate(batch, "failed", end.error);
    } else {
      const message = `replicas of ${this.model.name} died of this request, at last: ${end.reason}`;
      this.#unfortunate(batch, "died", new ProtocolError(message, 500));
    }
    this.#pump();
  }

  #answer(batch: Batch<PendingRequest>, result: InferenceResult, replica: number, startedAtMs: number): void {
    const { serviceMs } = result;
    const { requests, rows } = batch;
    const oldestMs = startedAtMs - (requests[0] as PendingRequest).arrivedAtMs;
    const times = { inferenceS: seconds(serviceMs), queueingS: seconds(oldestMs) };
    const facts = { model: this.model.name, replica, requests: requests.length, rows, ...times };
    this.#options.log.info(facts, "batch");
    const faults = result.faults ?? [];
    let outputs: readonly (readonly Tensor[])[];
    try {
      outputs = cutOutputs(
        result.outputs,
        requests.filter((_, index) => faults[index] === undefined),
      );
    } catch (error) {
      // Its outputs do not keep the rows apart, whatever its metadata says: from now on requests run singly.
      this.#queue.maxBatchRows = 1;
      this.#events.add(`requests run singly from now on: ${(error as Error).message}`);
      this.#unfortunate(batch, "failed", error as Error);
      return;
    }
    let served = 0;
    for (const [index, isWanted] of this.#queue.succeeded(batch).entries()) {
      const pending = requests[index] as PendingRequest;
      const fault = faults[index];
      if (fault !== undefined) {
        if (isWanted) pending.fail(new ProtocolError(fault.message, fault.status));
        continue;
      }
      const own = outputs[served++] as readonly Tensor[];
      const queuedMs = startedAtMs - pending.arrivedAtMs;
      if (isWanted) pending.succeed({ outputs: own, queuedMs, serviceMs, replica });
    }
  }

  #unfortunate(batch: Batch<PendingRequest>, misfortune: Misfortune, error: Error): void {
    const { requests, rows } = batch;
    this.#events.add(`a batch of ${requests.length} requests, ${rows} rows, ${misfortune}: ${error.message}`);
    for (const pending of this.#queue.unfortunate(batch, misfortune)) pending.fail(error);
  }

  #failWaiting(message: string): void {
    for (const pending of this.#queue.drain()) pending.fail(new UnavailableError(message));
  }
}

function deadlinePassed(): ProtocolError {
  return new ProtocolError("the request's timeout passed before it was answered", 504);
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
