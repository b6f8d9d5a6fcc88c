/** One instance of a function, from the decision to start it until its process is gone. It meters its calls. */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { fulfilsWithin } from "../../../base/fulfils-within.ts";
import type { Logger } from "pino";
import { functionFailed, newInstanceId, type FunctionConfig } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { CallFault } from "../injected-faults.ts";
import type { Meter } from "../meter.ts";
import type { MakeCgroup } from "./cgroup-probe.ts";
import type { Cgroup } from "./cgroup.ts";
import { FunctionProcess, type InstanceLimits } from "./function-process.ts";
import type { FunctionReply, InstanceCall, ServerRequestEnd } from "./function-server.ts";
import { reservePort } from "./loopback-port.ts";

export interface InstanceOptions {
  readonly limits: InstanceLimits;
  readonly log: Logger;
  readonly meter: Meter;
  /** Draws the time that is added to a start, in milliseconds. */
  readonly coldStartMs: () => number;
  /** Makes the control group that bounds the process; undefined: the process is not bounded. */
  readonly makeCgroup?: MakeCgroup;
  /** Ports of all instances of the host; an instance adds its own and removes it at its end. */
  readonly takenPorts: Set<number>;
}

/** How a call ended. `durationMs` is from when the ready instance got it. */
export type InvokeEnd = { readonly durationMs: number; readonly logTail: string } & (
  | { readonly end: "replied"; readonly reply: FunctionReply }
  | { readonly end: "timeout" }
  | { readonly end: "broken"; readonly refusal: FcRefusal }
);

/** An instance as `/admin/instances` shows it. */
export interface InstanceView {
  readonly function: string;
  readonly id: string;
  /** Null until the process is ready. */
  readonly pid: number | null;
  readonly state: "starting" | "idle" | "busy" | "stopping";
  /** Calls that it runs, or that wait for its start. */
  readonly calls: number;
}

/** How long the output of a call may come after its reply. */
const logSettleMs = 100;

export class Instance {
  readonly id = newInstanceId();
  readonly config: FunctionConfig;
  /** The number by which the scaling rules know it. */
  readonly number: number;
  /** Fulfilled with undefined when the instance is ready, else with why it did not start. */
  readonly started: Promise<FcRefusal | undefined>;
  /** Fulfilled when the instance is gone. */
  readonly gone: Promise<void>;
  /** Calls that it runs, or that wait for its start; kept by the pool. */
  calls = 0;
  /** Whether to kill the process instead of stopping it gracefully. */
  isBroken = false;
  readonly #options: InstanceOptions;
  #process: FunctionProcess | undefined;
  #isStopping = false;
  #markGone = (): void => undefined;

  /** @param room fulfilled when the instance may start */
  constructor(config: FunctionConfig, number: number, options: InstanceOptions, room: Promise<void>) {
    this.config = config;
    this.number = number;
    this.#options = options;
    this.gone = new Promise((resolve) => {
      this.#markGone = resolve;
    });
    this.started = this.#start(performance.now(), room);
  }

  /** Whether the process is ready for calls, or was. */
  get isReady(): boolean {
    return this.#process !== undefined;
  }

  /** Whether the process still runs and nobody has stopped it. */
  get isAlive(): boolean {
    return this.#process?.hasEnded === false && !this.#isStopping;
  }

  /** Fulfilled with how the process of a ready instance ended. Never rejects. */
  get exited(): Promise<string> {
    return this.#running().exited;
  }

  get view(): InstanceView {
    const { config, id, calls } = this;
    return { function: config.name, id, pid: this.#process?.pid ?? null, state: this.#state, calls };
  }

  /** Run one call within the function's time limit, on an instance that is ready. Never rejects. */
  async invoke(call: InstanceCall): Promise<InvokeEnd> {
    const { requestId, wantsLog, fault } = call;
    const { meter, log } = this.#options;
    const process = this.#running();
    process.logs.begin(requestId);
    const startedAtMs = performance.now();
    meter.callBegan(this.id, startedAtMs);
    const sent = process.server.invoke(call);
    if (fault?.crash === true) process.kill();
    const result = await this.#slowed(await sent, startedAtMs, fault);
    const endedAtMs = performance.now();
    const failed = result.end !== "replied" || functionFailed(result.reply);
    meter.callEnded(this.id, endedAtMs, failed);
    const times = { startedAtMs, endedAtMs };
    log.debug({ function: this.config.name, instance: this.id, requestId, ...times }, "call ended");

    const how =
      result.end === "failed"
        ? { end: "broken" as const, refusal: await process.explainFailure(result.error) }
        : result;
    if (wantsLog) {
      await nextTurn();
      await fulfilsWithin(process.logs.settled(requestId), logSettleMs);
    }
    return { durationMs: endedAtMs - startedAtMs, logTail: process.logs.take(requestId), ...how };
  }

  /** End the process when no call runs on it. Never rejects. */
  async stop(): Promise<void> {
    if (this.#isStopping) return this.gone;
    this.#isStopping = true;
    try {
      await this.#process?.end(!this.isBroken);
    } catch (error) {
      this.#options.log.error({ err: error, instance: this.id }, "an instance could not be stopped");
    }
    this.#options.meter.stopped(this.id);
    if (this.#process !== undefined) this.#options.takenPorts.delete(this.#process.port);
    this.#markGone();
  }

  /** Start the process, wait until its port answers, and run its initializer. @throws Error when no port is free */
  async #start(askedAtMs: number, room: Promise<void>): Promise<FcRefusal | undefined> {
    const { limits, log, meter, takenPorts } = this.#options;
    await room;
    await delay(this.#options.coldStartMs());
    const port = await reservePort(takenPorts);
    let cgroup: Cgroup | undefined;
    let process: FunctionProcess;
    try {
      cgroup = this.#options.makeCgroup?.(this.config);
      process = new FunctionProcess(this.config, { instanceId: this.id, port, cgroup, limits, log });
    } catch (error) {
      await cgroup?.remove();
      takenPorts.delete(port);
      return new FcRefusal("FunctionNotStarted", String(error));
    }
    const initialized = await process.start();
    if (typeof initialized !== "number") {
      await process.end(false);
      takenPorts.delete(port);
      return initialized;
    }
    const nowMs = performance.now();
    const { name } = this.config;
    const coldStartMs = nowMs - askedAtMs;
    meter.started(this.id, { name, size: this.config, coldStartMs, initializeMs: initialized }, nowMs);
    this.#process = process;
    return undefined;
  }

  /** Add the time of an injected fault to a call; the function's time limit applies to the sum. */
  async #slowed(
    result: ServerRequestEnd,
    startedAtMs: number,
    fault: CallFault | undefined,
  ): Promise<ServerRequestEnd> {
    if (fault === undefined || result.end !== "replied") return result;
    const durationMs = performance.now() - startedAtMs;
    const leftMs = Math.max(0, this.config.timeoutMs - durationMs);
    const extraMs = fault.extraMs(durationMs);
    if (extraMs > 0) await delay(Math.min(extraMs, leftMs));
    return extraMs > leftMs ? { end: "timeout" } : result;
  }

  #running(): FunctionProcess {
    if (this.#process === undefined) throw new RangeError(`instance ${this.id} is not ready`);
    return this.#process;
  }

  get #state(): InstanceView["state"] {
    if (this.#isStopping) return "stopping";
    if (this.#process === undefined) return "starting";
    return this.calls > 0 ? "busy" : "idle";
  }
}
