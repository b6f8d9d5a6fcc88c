/**
 * One instance of a function: a real child process on the custom-runtime contract. It meters its own calls; how
 * many run on it at a time is its owner's business.
 */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { Call, CallFault } from "../calls/call.ts";
import type { Cgroup } from "./cgroup.ts";
import type { MakeCgroup } from "./cgroup-probe.ts";
import type { Exchange, Reply } from "../calls/exchange.ts";
import { functionFailed, type FunctionConfig } from "../fc-contract.ts";
import { fulfilsWithin } from "../../../base/fulfils-within.ts";
import { FunctionProcess, type StartFailure } from "./function-process.ts";
import type { InstanceLimits } from "./instance-limits.ts";
import type { Log } from "../log.ts";
import { reservePort } from "./loopback-port.ts";
import type { Meter } from "../calls/meter.ts";

export interface InstanceOptions {
  readonly id: string;
  readonly limits: InstanceLimits;
  readonly log: Log;
  readonly meter: Meter;
  /** Makes the group that holds the process to its function's size; undefined: nothing does. */
  readonly makeCgroup?: MakeCgroup;
  /** When the call came for which it starts. */
  readonly askedAtMs: number;
  /** Ports of all instances of the host; the instance adds its own and takes it out when it is gone. */
  readonly takenPorts: Set<number>;
}

/** How a start ended: ready for its first call, or gone again. */
export type StartEnd =
  | { readonly started: true; readonly instance: Instance }
  | ({ readonly started: false } & StartFailure);

/** How a call ended. `durationMs` runs from when it was handed to the ready instance. */
export type InvokeEnd = { readonly durationMs: number; readonly logTail: string } & (
  | { readonly end: "replied"; readonly reply: Reply }
  | { readonly end: "timeout" }
  | { readonly end: "broken"; readonly code: "CAExited" | "BadResponse"; readonly message: string }
);

/** Time for what was printed of a call to come after its reply. */
const LOG_SETTLE_MS = 100;

export class Instance {
  readonly id: string;
  readonly #config: FunctionConfig;
  readonly #options: InstanceOptions;
  readonly #port: number;
  readonly #process: FunctionProcess;
  #gone: Promise<void> | undefined;

  private constructor(config: FunctionConfig, options: InstanceOptions, port: number, cgroup?: Cgroup) {
    this.id = options.id;
    this.#config = config;
    this.#options = options;
    this.#port = port;
    const { id, limits, log } = options;
    this.#process = new FunctionProcess(config, { id, port, cgroup, limits, log });
  }

  /**
   * Start a process, wait until its port answers, and run its initializer when it has one.
   * When it does not come up the process is gone before this returns.
   *
   * @throws Error when no port is free
   */
  static async start(config: FunctionConfig, options: InstanceOptions): Promise<StartEnd> {
    const port = await reservePort(options.takenPorts);
    let cgroup: Cgroup | undefined;
    let instance: Instance;
    try {
      cgroup = options.makeCgroup?.(config);
      instance = new Instance(config, options, port, cgroup);
    } catch (error) {
      await cgroup?.remove();
      options.takenPorts.delete(port);
      return { started: false, code: "FunctionNotStarted", message: String(error) };
    }
    const initialized = await instance.#process.comeUp();
    if (typeof initialized !== "number") {
      await instance.kill();
      return { started: false, ...initialized };
    }
    const nowMs = performance.now();
    const coldStartMs = nowMs - options.askedAtMs;
    const start = { name: config.name, size: config, coldStartMs, initializeMs: initialized };
    options.meter.started(options.id, start, nowMs);
    return { started: true, instance };
  }

  /** Undefined when the process could not be made. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Fulfilled with how the process ended. Never rejects. */
  get exited(): Promise<string> {
    return this.#process.exited;
  }

  /** Whether the process is there and nobody has told it to go. */
  get alive(): boolean {
    return !this.#process.hasEnded && this.#gone === undefined;
  }

  /** Run one call within the function's time limit. Never rejects. */
  async invoke(call: Call): Promise<InvokeEnd> {
    const { requestId, wantsLog, fault } = call;
    const { meter, log } = this.#options;
    this.#process.logs.begin(requestId);
    const startedAtMs = performance.now();
    meter.callBegan(this.id, startedAtMs);
    const sent = this.#process.server.invoke(call);
    if (fault?.crash === true) this.#process.kill();
    const result = await this.#slowed(await sent, startedAtMs, fault);
    const endedAtMs = performance.now();
    const failed = result.end !== "replied" || functionFailed(result.reply);
    meter.callEnded(this.id, endedAtMs, failed);
    log.debug(
      { function: this.#config.name, instance: this.id, requestId, startedAtMs, endedAtMs },
      "call ended",
    );

    const how =
      result.end === "failed"
        ? { end: "broken" as const, ...(await this.#process.whyBroken(result.error)) }
        : result;
    if (wantsLog) {
      await nextTurn();
      await fulfilsWithin(this.#process.logs.settled(requestId), LOG_SETTLE_MS);
    }
    return { durationMs: endedAtMs - startedAtMs, logTail: this.#process.logs.take(requestId), ...how };
  }

  /** The end of a call after the extra time that was asked for, which the function's time limit bounds as any other. */
  async #slowed(result: Exchange, startedAtMs: number, fault: CallFault | undefined): Promise<Exchange> {
    if (fault === undefined || result.end !== "replied") return result;
    const durationMs = performance.now() - startedAtMs;
    const leftMs = Math.max(0, this.#config.timeoutMs - durationMs);
    const extraMs = fault.extraMs(durationMs);
    if (extraMs > 0) await delay(Math.min(extraMs, leftMs));
    return extraMs > leftMs ? { end: "timeout" } : result;
  }

  /** GET /pre-stop, then SIGTERM, then SIGKILL after a bound. Fulfilled when the process is gone. */
  stop(): Promise<void> {
    this.#gone ??= this.#end(true);
    return this.#gone;
  }

  /** SIGKILL at once. Fulfilled when the process is gone. */
  kill(): Promise<void> {
    this.#gone ??= this.#end(false);
    return this.#gone;
  }

  async #end(politely: boolean): Promise<void> {
    await this.#process.end(politely);
    this.#options.meter.stopped(this.id);
    this.#options.takenPorts.delete(this.#port);
  }
}
