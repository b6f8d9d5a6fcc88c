/** Keeps one replica of a model up: starts it, hands it batches, and starts another when it dies. */
import { setTimeout as delay } from "node:timers/promises";
import type { Tensor } from "../../protocol/tensor.ts";
import type { ReplicaState, ReplicaStatus } from "../models/model-runner.ts";
import type { EventList } from "../observe/events.ts";
import { BackOff } from "./back-off.ts";
import { LoadFault } from "./load-fault.ts";
import { type LoadedModel, Replica, type ReplicaOptions, type RunEnd } from "./replica.ts";

export interface SupervisorEvents {
  /** The replica can take a batch. */
  onFree(): void;
  onLoaded(loaded: LoadedModel): void;
  /** The replica ended or could not be started; `state` says what comes next. */
  onDown(reason: string): void;
  /** Whether the model was loaded before, so that a fault in loading it again may be a file that is being replaced. */
  wasLoaded(): boolean;
}

export class ReplicaSupervisor {
  readonly index: number;
  readonly #options: ReplicaOptions;
  readonly #events: EventList;
  readonly #on: SupervisorEvents;
  readonly #closing = new AbortController();
  readonly #backOff = new BackOff(Math.random);
  readonly #supervised: Promise<void>;
  readonly #pingTimer: NodeJS.Timeout;
  #state: ReplicaState = "starting";
  #replica: Replica | undefined;
  #running: { readonly rows: number; readonly requests: number; readonly startedAtMs: number } | undefined;
  #isPinged = false;
  #restarts = -1;
  #startsAtMs = 0;
  #lastError: string | undefined;

  /** Begins to start the replica. No event comes before this returns. */
  constructor(index: number, options: ReplicaOptions, events: EventList, on: SupervisorEvents) {
    this.index = index;
    this.#options = options;
    this.#events = events;
    this.#on = on;
    this.#supervised = this.#supervise();
    this.#pingTimer = setInterval(() => void this.#ping(), options.pingMs);
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** Whether the replica can take a batch. */
  get isFree(): boolean {
    return this.#state === "up" && this.#running === undefined && !this.#isPinged;
  }

  /** How long until the replica is started again, in milliseconds; 0 when it is up or starting. */
  get startsInMs(): number {
    return Math.max(0, this.#startsAtMs - performance.now());
  }

  /** Run a batch, with the rows of each request, for at most `limitMs`. Call it only when `isFree`. */
  async run(inputs: readonly Tensor[], rows: readonly number[], limitMs: number): Promise<RunEnd> {
    const replica = this.#replica as Replica;
    const sum = rows.reduce((total, each) => total + each, 0);
    this.#running = { rows: sum, requests: rows.length, startedAtMs: performance.now() };
    const end = await replica.run(inputs, rows, limitMs);
    this.#running = undefined;
    if (end.kind === "failed") this.#lastError = end.error.message;
    if (end.kind === "died") this.#died(replica);
    return end;
  }

  status(): ReplicaStatus {
    const running = this.#running;
    return {
      index: this.index,
      state: this.#state,
      pid: this.#replica?.pid,
      restarts: Math.max(0, this.#restarts),
      batch: running && {
        rows: running.rows,
        requests: running.requests,
        runningMs: performance.now() - running.startedAtMs,
      },
      lastError: this.#lastError,
    };
  }

  /** Stop the replica and start no other. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#pingTimer);
    await this.#replica?.stop();
    await this.#supervised;
  }

  /** Finds out that an idle replica hangs before it is given a batch. */
  async #ping(): Promise<void> {
    const replica = this.#replica;
    if (!this.isFree || replica === undefined) return;
    this.#isPinged = true;
    const isAlive = await replica.ping(this.#options.pingMs);
    this.#isPinged = false;
    if (isAlive) this.#on.onFree();
    else this.#died(replica);
  }

  /** Give a dead replica no batch, even before #supervise sees its end. It may have done so, and started another. */
  #died(replica: Replica): void {
    if (this.#replica === replica) this.#state = "restarting";
  }

  async #supervise(): Promise<void> {
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      const startedAtMs = performance.now();
      const { reason, mayPass, isDeath } = await this.#runOne();
      if (closing.aborted) return;
      if (!mayPass && !this.#on.wasLoaded()) return this.#giveUp(reason);
      const nowMs = performance.now();
      // A long load that fails is no life.
      const livedMs = this.#on.wasLoaded() ? nowMs - startedAtMs : 0;
      const { pauseMs, isTrial, isHopeless } = this.#backOff.ended(nowMs, livedMs);
      // A file that crashes its process does so each time.
      if (isHopeless && isDeath && !this.#on.wasLoaded()) return this.#giveUp(reason);
      this.#state = isTrial ? "unhealthy" : "restarting";
      this.#startsAtMs = nowMs + pauseMs;
      this.#lastError = reason;
      this.#report(reason, pauseMs, isTrial);
      this.#on.onDown(reason);
      // Rejects when the supervisor is closed, which ends the loop.
      await delay(pauseMs, undefined, { signal: closing }).catch(() => {});
    }
  }

  #giveUp(reason: string): void {
    const { model, log } = this.#options;
    this.#state = "failed";
    this.#lastError = reason;
    const text = "cannot be loaded, and is not tried again before it is asked for";
    this.#events.add(`${text} (${reason})`, { replica: this.index });
    log.error({ model: model.name, replica: this.index, reason }, text);
    this.#on.onDown(reason);
  }

  /** One replica from its start to its end. Returns why it ended, and whether another may do better. */
  async #runOne(): Promise<{
    readonly reason: string;
    readonly mayPass: boolean;
    readonly isDeath: boolean;
  }> {
    const { model, log } = this.#options;
    // A replica on trial stays unhealthy until it is up.
    if (this.#state !== "unhealthy") this.#state = "starting";
    this.#restarts++;
    let replica: Replica | undefined;
    try {
      replica = new Replica(this.#options, this.index);
      this.#replica = replica;
      const loaded = await replica.load();
      this.#state = "up";
      this.#events.add("replica ready", { replica: this.index });
      const facts = { model: model.name, version: model.version, replica: this.index, pid: replica.pid };
      log.info(facts, "replica ready");
      this.#on.onLoaded(loaded);
      this.#on.onFree();
      return { reason: await replica.ended, mayPass: true, isDeath: true };
    } catch (error) {
      await replica?.stop();
      // What its settings ask for may have gone since the start, such as a library; it may come back.
      if (replica === undefined) return { reason: (error as Error).message, mayPass: true, isDeath: false };
      const isDeath = !(error instanceof LoadFault);
      return { reason: (error as Error).message, mayPass: isDeath || error.mayPass, isDeath };
    } finally {
      this.#replica = undefined;
    }
  }

  #report(reason: string, pauseMs: number, isTrial: boolean): void {
    const { model, log } = this.#options;
    const text = isTrial
      ? "replica ended too often; starting another on trial after a pause"
      : "replica ended; starting another";
    this.#events.add(`${text} (${reason})`, { replica: this.index });
    log.warn({ model: model.name, replica: this.index, reason, pauseMs: Math.round(pauseMs) }, text);
  }
}
