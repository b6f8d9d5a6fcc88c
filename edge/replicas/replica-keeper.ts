/**
 * Keeps one replica of a model up: starts it, hands batches to it, and starts another in its place when it dies,
 * after pauses that `BackOff` decides. Which batch it gets is the pool's business.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ModelMetadata } from "../../protocol/message.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { BackOff } from "./back-off.ts";
import type { EventList } from "./event-list.ts";
import type { ReplicaState, ReplicaStatus } from "../models/model-status.ts";
import { Replica, type ReplicaOptions, type RunEnd } from "./replica.ts";

export interface KeeperEvents {
  /** The replica can take a batch. */
  onFree(): void;
  onLoaded(metadata: ModelMetadata): void;
  /** The replica ended or could not be started; `state` says what comes next. */
  onDown(reason: string): void;
}

/** A batch as it is handed to a replica. */
export interface ReplicaBatch {
  readonly inputs: readonly Tensor[];
  /** Of each request. */
  readonly rows: readonly number[];
  /** Longest time that it may run. */
  readonly limitMs: number;
}

export class ReplicaKeeper {
  readonly index: number;
  readonly #options: ReplicaOptions;
  readonly #events: EventList;
  readonly #on: KeeperEvents;
  readonly #closing = new AbortController();
  readonly #backOff = new BackOff(Math.random);
  readonly #kept: Promise<void>;
  readonly #pingTimer: NodeJS.Timeout;
  #state: ReplicaState = "starting";
  #replica: Replica | undefined;
  #running: { readonly rows: number; readonly requests: number; readonly startedAtMs: number } | undefined;
  #restarts = -1;
  #startsAtMs = 0;
  #lastError: string | undefined;

  /** Begins to start the replica. No event comes before this returns. */
  constructor(index: number, options: ReplicaOptions, events: EventList, on: KeeperEvents) {
    this.index = index;
    this.#options = options;
    this.#events = events;
    this.#on = on;
    this.#kept = this.#keep();
    this.#pingTimer = setInterval(() => void this.#ping(), options.pingMs);
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** True while the replica is up. */
  get isUp(): boolean {
    return this.#state === "idle" || this.#state === "busy" || this.#state === "pinged";
  }

  /** How long until it is started again, in milliseconds; 0 when it is up or being started. */
  get startsInMs(): number {
    return Math.max(0, this.#startsAtMs - performance.now());
  }

  /** Run a batch. Only when the state is `idle`. */
  async run({ inputs, rows, limitMs }: ReplicaBatch): Promise<RunEnd> {
    const replica = this.#replica as Replica;
    this.#state = "busy";
    const sum = rows.reduce((total, each) => total + each, 0);
    this.#running = { rows: sum, requests: rows.length, startedAtMs: performance.now() };
    const end = await replica.run(inputs, rows, limitMs);
    this.#running = undefined;
    if (end.kind === "failed") this.#lastError = end.error.message;
    // A replica that died is no more in this state; its end may have been noticed before this.
    if (end.kind !== "died" && this.#replica === replica) this.#state = "idle";
    return end;
  }

  status(): ReplicaStatus {
    const running = this.#running;
    const batch = running && {
      rows: running.rows,
      requests: running.requests,
      runningMs: performance.now() - running.startedAtMs,
    };
    return {
      index: this.index,
      state: this.#state,
      pid: this.#replica?.pid,
      restarts: Math.max(0, this.#restarts),
      batch,
      lastError: this.#lastError,
    };
  }

  /** Stop the replica, and start no other. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#pingTimer);
    await this.#replica?.stop();
    await this.#kept;
    this.#state = "stopped";
  }

  /** A replica that was stopped while it had nothing to do is found out before it is given a batch. */
  async #ping(): Promise<void> {
    const replica = this.#replica;
    if (this.#state !== "idle" || replica === undefined) return;
    this.#state = "pinged";
    const answers = await replica.ping(this.#options.pingMs);
    // One that does not has ended, which is seen to elsewhere.
    if (!answers) return;
    this.#state = "idle";
    this.#on.onFree();
  }

  async #keep(): Promise<void> {
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      const startedAtMs = performance.now();
      const reason = await this.#live();
      if (closing.aborted) return;
      const nowMs = performance.now();
      const { pauseMs, isTrial } = this.#backOff.ended(nowMs, nowMs - startedAtMs);
      this.#state = isTrial ? "unhealthy" : "pausing";
      this.#startsAtMs = nowMs + pauseMs;
      this.#lastError = reason;
      this.#report(reason, pauseMs, isTrial);
      this.#on.onDown(reason);
      // Ends early, with an error that says no more, when the keeper is closed.
      await delay(pauseMs, undefined, { signal: closing }).catch(() => {});
    }
  }

  /** One replica from its start to its end. Returns why it ended. */
  async #live(): Promise<string> {
    const { model, log } = this.#options;
    // On trial it stays unhealthy until it is up.
    if (this.#state !== "unhealthy") this.#state = "starting";
    this.#restarts++;
    const replica = new Replica(this.#options, this.index);
    this.#replica = replica;
    try {
      const metadata = await replica.load();
      this.#state = "idle";
      this.#events.add("replica ready", this.index);
      const facts = { model: model.name, version: model.version, replica: this.index, pid: replica.pid };
      log.info(facts, "replica ready");
      this.#on.onLoaded(metadata);
      this.#on.onFree();
      return await replica.ended;
    } catch (error) {
      await replica.stop();
      return (error as Error).message;
    } finally {
      this.#replica = undefined;
    }
  }

  #report(reason: string, pauseMs: number, isTrial: boolean): void {
    const { model, log } = this.#options;
    const text = isTrial
      ? "replica ended too often; starting another on trial after a pause"
      : "replica ended; starting another";
    this.#events.add(`${text} (${reason})`, this.index);
    log.warn({ model: model.name, replica: this.index, reason, pauseMs: Math.round(pauseMs) }, text);
  }
}
