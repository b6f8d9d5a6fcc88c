/**
 * The replicas of one model: hands each waiting batch to a replica that is free, and starts a new one in the
 * place of one that died.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { ProtocolError } from "../protocol/errors.ts";
import type { ModelMetadata } from "../protocol/message.ts";
import type { Tensor } from "../protocol/tensor.ts";
import type { BatchResult, ModelFile, ModelRunner } from "./model-runner.ts";
import { Replica, type ReplicaOptions } from "./replica.ts";

export interface ReplicaPoolOptions extends ReplicaOptions {
  /** How many processes, an integer from 1. */
  readonly replicas: number;
  /** Most batches that wait for a replica; more are refused with 503. */
  readonly maxWaiting: number;
  readonly log: Logger;
}

/** Pause before a dead replica is replaced: none the first time, then doubling up to the longest. */
const firstRestartMs = 100;
const longestRestartMs = 10_000;
/** A replica that lived this long was well; the next pause is short again. */
const healthyMs = 60_000;

interface Waiting {
  readonly inputs: readonly Tensor[];
  readonly calledAtMs: number;
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: Error) => void;
}

interface Free {
  readonly replica: Replica;
  readonly index: number;
}

export class ReplicaPool implements ModelRunner {
  readonly model: ModelFile;
  metadata: ModelMetadata | undefined = undefined;
  readonly #options: ReplicaPoolOptions;
  /** Every replica whose process runs, also while it loads. */
  readonly #alive = new Set<Replica>();
  #free: Free[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #keepers: readonly Promise<void>[];
  readonly #closing = new AbortController();
  /** Why the last start failed; undefined once one has succeeded. */
  #startFault: Error | undefined;
  #up = 0;
  #running = 0;
  #changed: (() => void)[] = [];

  constructor(options: ReplicaPoolOptions) {
    this.model = options.model;
    this.#options = options;
    this.#keepers = Array.from({ length: options.replicas }, (_, index) => this.#keep(index));
  }

  get replicas(): number {
    return this.#options.replicas;
  }

  get isReady(): boolean {
    return this.#up > 0 && !this.#closing.signal.aborted;
  }

  async ready(): Promise<void> {
    while (this.metadata === undefined) {
      if (this.#startFault !== undefined) throw this.#startFault;
      await this.#nextChange();
    }
  }

  run(inputs: readonly Tensor[]): Promise<BatchResult> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(new ProtocolError(refusal, 503));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ inputs, calledAtMs: performance.now(), resolve, reject });
      this.#assign();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    while (this.#running > 0 || (this.#waiting.length > 0 && this.#up > 0)) await this.#nextChange();
    this.#rejectWaiting("the server is shutting down");
    await Promise.all([...this.#alive].map((replica) => replica.stop()));
    await Promise.all(this.#keepers);
  }

  #refusal(): string | undefined {
    const { name } = this.model;
    if (this.#closing.signal.aborted) return "the server is shutting down";
    if (this.#up === 0 && this.#startFault !== undefined) {
      return `no replica of ${name} is up: ${this.#startFault.message}`;
    }
    if (this.metadata === undefined) return `model ${name} is not loaded yet`;
    const { maxWaiting } = this.#options;
    if (this.#waiting.length >= maxWaiting) return `${maxWaiting} batches wait for ${name} already`;
    return undefined;
  }

  /** Keep one replica up until the pool closes. */
  async #keep(index: number): Promise<void> {
    const { log, model } = this.#options;
    const closing = this.#closing.signal;
    for (let failures = 0; !closing.aborted; failures++) {
      if (failures > 0)
        await pause(Math.min(longestRestartMs, firstRestartMs * 2 ** (failures - 2)), closing);
      if (closing.aborted) return;
      const startedAtMs = performance.now();
      const replica = new Replica(this.#options);
      this.#alive.add(replica);
      const reason = await this.#serve(replica, index);
      this.#alive.delete(replica);
      this.#notify();
      if (closing.aborted) return;
      if (performance.now() - startedAtMs > healthyMs) failures = 0;
      log.warn(
        { model: model.name, replica: index, pid: replica.pid, reason },
        "replica ended; starting another",
      );
    }
  }

  /** Load the replica, let it serve, and return why it ended. */
  async #serve(replica: Replica, index: number): Promise<string> {
    const { log, model } = this.#options;
    try {
      this.metadata = await replica.load();
    } catch (error) {
      this.#startFault = error as Error;
      if (this.#up === 0)
        this.#rejectWaiting(`no replica of ${model.name} is up: ${this.#startFault.message}`);
      await replica.stop();
      return this.#startFault.message;
    }
    this.#startFault = undefined;
    this.#up++;
    log.info(
      { model: model.name, version: model.version, replica: index, pid: replica.pid },
      "replica ready",
    );
    this.#release({ replica, index });
    const reason = await replica.ended;
    this.#up--;
    this.#free = this.#free.filter((free) => free.replica !== replica);
    return reason;
  }

  #release(free: Free): void {
    this.#free.push(free);
    this.#assign();
    this.#notify();
  }

  #assign(): void {
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      this.#run(this.#free.shift() as Free, this.#waiting.shift() as Waiting).catch(() => {});
    }
  }

  async #run(free: Free, { inputs, calledAtMs, resolve, reject }: Waiting): Promise<void> {
    const queuedMs = performance.now() - calledAtMs;
    this.#running++;
    try {
      const result = await free.replica.run(inputs);
      resolve({ ...result, queuedMs, replica: free.index });
    } catch (error) {
      reject(error as Error);
    }
    this.#running--;
    if (free.replica.isAlive) this.#release(free);
    else this.#notify();
  }

  #rejectWaiting(message: string): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new ProtocolError(message, 503));
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #notify(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}

/** Wait, or return early when the pool closes. */
async function pause(ms: number, closing: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: closing }).catch(() => {});
}
