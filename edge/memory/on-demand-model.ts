/** A model that is loaded when it is asked, and leaves the memory when others need it. Requests wait while it is away. */
import type { Logger } from "pino";
import { OverloadedError, ProtocolError, UnavailableError } from "../../protocol/errors.ts";
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import type { PublishedJoining } from "../joining/published-joining.ts";
import type {
  ModelFile,
  ModelRunner,
  ModelStatus,
  RequestResult,
  RunLimits,
} from "../models/model-runner.ts";
import { whyNotOnnx } from "../models/not-onnx.ts";
import { replicaMemoryBytes } from "../observe/replica-memory.ts";
import { shuttingDown } from "../replicas/down-state.ts";
import type { ReplicaPool } from "../replicas/replica-pool.ts";
import type { PoolKnowledge } from "../replicas/replica-pool-options.ts";
import { estimatedBytes } from "./estimated-bytes.ts";
import type { MemoryTenant, ModelMemory } from "./model-memory.ts";
import { withinLimits } from "./within-limits.ts";

export interface OnDemandOptions {
  readonly model: ModelFile;
  readonly memory: ModelMemory;
  readonly replicas: number;
  /** Begins to load; `known` is what was learned when it was in memory before. */
  readonly open: (known: PoolKnowledge | undefined) => ReplicaPool;
  /** Most requests, and most bytes of input data, that wait while it is away. */
  readonly mostWaiting: number;
  readonly mostWaitingBytes: number;
  /** Called when it turns out that it can never be loaded. */
  readonly onLost?: (reason: string) => void;
  readonly log: Logger;
}

/** How long a model that could not be loaded is not tried again, in milliseconds. */
const retryMs = 1_000;
/** How old a measurement may be, in milliseconds. */
const freshMs = 200;

export class OnDemandModel implements ModelRunner, MemoryTenant {
  readonly model: ModelFile;
  readonly replicas: number;
  readonly isPinned: boolean;
  readonly isOnDemand: boolean;
  metadata: ModelMetadata | undefined;
  joining: PublishedJoining | undefined;
  usedAtMs = 0;
  upAtMs: number | undefined;
  readonly #options: OnDemandOptions;
  readonly #closing = new AbortController();
  #known: PoolKnowledge | undefined;
  /** In memory, or on its way there; undefined while it leaves. */
  #pool: ReplicaPool | undefined;
  #loading: Promise<ReplicaPool> | undefined;
  /** Its processes still run, to answer what was accepted. */
  #leaving: ReplicaPool | undefined;
  /** Settles when they have ended. */
  #left: Promise<void> | undefined;
  /** Requests that have not ended. */
  readonly #open = new Set<Promise<unknown>>();
  #isClosing = false;
  #waiting = 0;
  #waitingBytes = 0;
  #fault: { readonly message: string; readonly isPermanent: boolean; readonly atMs: number } | undefined;
  #measured = { bytes: 0, atMs: -Infinity };
  #estimate: number | undefined;
  /** What it took when it was in memory last. */
  #lastBytes = 0;

  constructor(options: OnDemandOptions) {
    this.#options = options;
    this.model = options.model;
    this.replicas = options.replicas;
    this.isPinned = options.model.config?.pinned === true;
    // One that is plainly no model is tried at the start, so that nobody is told that it is ready.
    this.isOnDemand = !this.isPinned && whyNotOnnx(options.model.path) === undefined;
  }

  get name(): string {
    return this.model.name;
  }

  get isReady(): boolean {
    if (this.#isClosing || this.#fault?.isPermanent === true) return false;
    return this.upAtMs === undefined || this.#pool === undefined || this.#pool.isReady;
  }

  get openRequests(): number {
    return this.#waiting + (this.#pool?.status().openRequests ?? 0);
  }

  /** Resolves when it was in memory once, or is now. */
  async ready(): Promise<void> {
    if (this.metadata !== undefined) return;
    this.#refuse();
    await this.#resident();
  }

  checkRoom(bytes: number): void {
    if (this.#pool !== undefined && this.upAtMs !== undefined) return this.#pool.checkRoom(bytes);
    this.#refuse();
    const { mostWaiting, mostWaitingBytes } = this.#options;
    const isFull = this.#waiting >= mostWaiting || this.#waitingBytes + bytes > mostWaitingBytes;
    if (!isFull || this.#waiting === 0) return;
    throw new OverloadedError(`${this.#waiting} requests wait until model ${this.name} is loaded`, retryMs);
  }

  run(request: InferRequest, limits: RunLimits = {}): Promise<RequestResult> {
    const running = this.#run(request, limits);
    this.#open.add(running);
    return running.finally(() => {
      this.#open.delete(running);
      // It may have been waited for.
      this.#options.memory.changed();
    });
  }

  async #run(request: InferRequest, limits: RunLimits): Promise<RequestResult> {
    const calledAtMs = performance.now();
    this.usedAtMs = calledAtMs;
    if (this.#pool === undefined || this.upAtMs === undefined) await this.#arrival(request, limits);
    const waitedMs = performance.now() - calledAtMs;
    const result = await (this.#pool as ReplicaPool).run(request, limits);
    return { ...result, queuedMs: result.queuedMs + waitedMs };
  }

  /** Resolves when the model is in memory; what comes next in the same turn finds it there. */
  async #arrival({ inputs }: InferRequest, limits: RunLimits): Promise<void> {
    const bytes = inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
    this.checkRoom(bytes);
    this.#waiting++;
    this.#waitingBytes += bytes;
    try {
      // It may have left again between its arrival and this request's turn.
      do await withinLimits(this.#resident(), limits);
      while (this.#pool === undefined);
    } finally {
      this.#waiting--;
      this.#waitingBytes -= bytes;
    }
  }

  status(): ModelStatus {
    const own = {
      name: this.name,
      version: this.model.version,
      queueRows: this.#waiting,
      queueBytes: this.#waitingBytes,
      openRequests: this.openRequests,
      memory: { isLoaded: this.upAtMs !== undefined && this.#pool !== undefined, bytes: this.neededBytes() },
    };
    const pool = this.#pool?.status();
    if (pool !== undefined) return { ...pool, memory: { ...own.memory, bytes: this.measuredBytes() } };
    const lastError = this.#fault?.message;
    const state = this.#isClosing ? "stopping" : this.#fault?.isPermanent === true ? "failed" : "ready";
    return { ...own, state, replicas: [], ...(lastError !== undefined && { lastError }), events: [] };
  }

  estimateBytes(): number {
    this.#estimate ??= estimatedBytes(this.model) * this.replicas;
    return this.#estimate;
  }

  neededBytes(): number {
    return Math.max(this.estimateBytes(), this.#lastBytes);
  }

  measuredBytes(): number {
    const nowMs = performance.now();
    if (nowMs - this.#measured.atMs < freshMs) return this.#measured.bytes;
    const pids = this.#pids();
    const bytes = pids.reduce((sum, pid) => sum + (replicaMemoryBytes(pid) ?? 0), 0);
    this.#measured = { bytes, atMs: nowMs };
    if (this.upAtMs !== undefined) this.#lastBytes = bytes;
    return bytes;
  }

  /** @see MemoryTenant */
  async leave(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    this.upAtMs = undefined;
    this.#loading = undefined;
    this.#leaving = pool;
    this.#known = pool?.knowledge ?? this.#known;
    if (pool !== undefined) this.#left = pool.close();
    await this.#left;
    this.#leaving = undefined;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    // Those that wait for the model as well: the others make room for it now.
    await Promise.allSettled(this.#open);
    this.#closing.abort();
    await this.#loading?.catch(() => {});
    await this.leave();
    this.#options.memory.released(this);
  }

  #pids(): number[] {
    const pool = this.#pool ?? this.#leaving;
    return (pool?.status().replicas ?? []).flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  /** @throws ProtocolError (503) when it is not to be tried now */
  #refuse(): void {
    if (this.#isClosing) throw shuttingDown();
    const fault = this.#fault;
    if (fault === undefined || (!fault.isPermanent && performance.now() - fault.atMs > retryMs)) return;
    const text = `model ${this.name} cannot be loaded: ${fault.message}`;
    throw fault.isPermanent ? new ProtocolError(text, 503) : new UnavailableError(text, retryMs);
  }

  /** In memory, for all who ask meanwhile. */
  #resident(): Promise<ReplicaPool> {
    this.#loading ??= this.#load().catch((error: Error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #load(): Promise<ReplicaPool> {
    const { memory, open, log } = this.#options;
    const askedAtMs = performance.now();
    const closed = closedBy(this.#closing.signal);
    await Promise.race([memory.admit(this), closed]).catch((error: Error) =>
      this.#failed(error.message, false),
    );
    const admittedAtMs = performance.now();
    let pool: ReplicaPool | undefined;
    try {
      this.#pool = pool = open(this.#known);
      await Promise.race([pool.ready(), closed]);
    } catch (error) {
      const isPermanent = pool?.status().state === "failed";
      this.#pool = undefined;
      await pool?.close();
      memory.released(this);
      return this.#failed((error as Error).message, isPermanent);
    }
    this.#fault = undefined;
    this.metadata = pool.metadata;
    this.joining = pool.joining;
    this.upAtMs = performance.now();
    this.usedAtMs = this.upAtMs;
    this.#measured.atMs = -Infinity;
    const [roomMs, loadMs] = [admittedAtMs - askedAtMs, this.upAtMs - admittedAtMs].map(Math.round);
    log.info({ model: this.name, roomMs, loadMs, bytes: this.measuredBytes() }, "a model is in memory");
    memory.changed();
    return pool;
  }

  #failed(message: string, isPermanent: boolean): never {
    this.#fault = { message, isPermanent, atMs: performance.now() };
    if (isPermanent && !this.#isClosing) this.#options.onLost?.(message);
    const text = `model ${this.name} cannot be loaded: ${message}`;
    throw isPermanent ? new ProtocolError(text, 503) : new UnavailableError(text, retryMs);
  }
}

/** Rejects at the end of the model; nobody need await it. */
function closedBy(signal: AbortSignal): Promise<never> {
  const closed = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(shuttingDown()), { once: true });
  });
  closed.catch(() => {});
  return closed;
}
