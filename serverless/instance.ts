/**
 * One instance of a function: a real child process on the custom-runtime contract. It meters its own calls; how
 * many run on it at a time is its owner's business.
 */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Call, CallFault } from "./call.ts";
import { CallLogs } from "./call-logs.ts";
import type { Cgroup } from "./cgroup.ts";
import type { MakeCgroup } from "./cgroup-probe.ts";
import { Child } from "./child.ts";
import type { Exchange, Reply } from "./exchange.ts";
import { functionFailed, instanceEnvironment, type FcErrorCode, type FunctionConfig } from "./fc-contract.ts";
import { FunctionServer } from "./function-server.ts";
import type { InstanceLimits } from "./instance-limits.ts";
import { portAnswers, reservePort } from "./loopback-port.ts";
import type { Meter } from "./meter.ts";
import { fulfilsWithin } from "./fulfils-within.ts";

/** The part of a pino logger that the function host uses. */
export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

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

/** Why an instance cannot be used, as the caller sees it. */
interface StartFailure {
  readonly code: FcErrorCode;
  readonly message: string;
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

const POLL_MS = 5;
/** Time for the exit of a process to be seen after its connection broke. */
const SETTLE_MS = 500;
/** Time for what was printed of a call to come after its reply. */
const LOG_SETTLE_MS = 100;

export class Instance {
  readonly id: string;
  readonly #config: FunctionConfig;
  readonly #options: InstanceOptions;
  readonly #port: number;
  readonly #cgroup: Cgroup | undefined;
  readonly #child: Child;
  readonly #server: FunctionServer;
  readonly #logs = new CallLogs();
  #outOfMemory = false;
  #gone: Promise<void> | undefined;

  private constructor(config: FunctionConfig, options: InstanceOptions, port: number, cgroup?: Cgroup) {
    this.id = options.id;
    this.#config = config;
    this.#options = options;
    this.#port = port;
    this.#cgroup = cgroup;
    const settings = { id: options.id, port, initializeTimeoutMs: this.#initializeTimeoutMs };
    this.#child = new Child({
      command: cgroup?.entered(config.command) ?? config.command,
      folder: config.folder,
      env: instanceEnvironment(config, settings, process.env),
      onLine: (stream, line) => {
        this.#logs.line(line);
        options.log.info({ function: config.name, instance: this.id, stream }, line);
      },
      // The group is gone soon after, and what it counted with it.
      onExit: () => {
        this.#outOfMemory = cgroup?.outOfMemory ?? false;
      },
    });
    this.#server = new FunctionServer(config, port, options.limits.maxReplyBytes);
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
    const initialized = (await instance.#waitForPort()) ?? (await instance.#initialize());
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
    return this.#child.pid;
  }

  /** Fulfilled with how the process ended. Never rejects. */
  get exited(): Promise<string> {
    return this.#child.exited;
  }

  /** Whether the process is there and nobody has told it to go. */
  get alive(): boolean {
    return this.#child.exit === undefined && this.#gone === undefined;
  }

  /** Run one call within the function's time limit. Never rejects. */
  async invoke(call: Call): Promise<InvokeEnd> {
    const { requestId, wantsLog, fault } = call;
    const { meter, log } = this.#options;
    this.#logs.begin(requestId);
    const startedAtMs = performance.now();
    meter.callBegan(this.id, startedAtMs);
    const sent = this.#server.invoke(call);
    if (fault?.crash === true) this.#child.kill();
    const result = await this.#slowed(await sent, startedAtMs, fault);
    const endedAtMs = performance.now();
    const failed = result.end !== "replied" || functionFailed(result.reply);
    meter.callEnded(this.id, endedAtMs, failed);
    log.debug(
      { function: this.#config.name, instance: this.id, requestId, startedAtMs, endedAtMs },
      "call ended",
    );

    const how =
      result.end === "failed" ? { end: "broken" as const, ...(await this.#whyBroken(result.error)) } : result;
    if (wantsLog) {
      await nextTurn();
      await fulfilsWithin(this.#logs.settled(requestId), LOG_SETTLE_MS);
    }
    return { durationMs: endedAtMs - startedAtMs, logTail: this.#logs.take(requestId), ...how };
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
    const { preStopTimeoutMs, killAfterMs } = this.#options.limits;
    if (politely && this.#child.exit === undefined) {
      const timeoutMs = Math.min(preStopTimeoutMs, this.#config.preStopTimeoutMs ?? preStopTimeoutMs);
      if (this.#config.preStop === true) await this.#server.preStop(this.id, timeoutMs);
      this.#child.terminate();
      await fulfilsWithin(this.exited, killAfterMs);
    }
    if (this.#child.exit === undefined) this.#child.kill();
    // Ends what left the process's own group, too, which may hold its output open.
    const removed = await this.#cgroup?.remove();
    await this.exited;
    if (removed === false) {
      this.#options.log.warn({ instance: this.id }, "the control group of an instance could not be removed");
    }
    await this.#server.close();
    this.#options.meter.stopped(this.id);
    this.#options.takenPorts.delete(this.#port);
  }

  get #initializeTimeoutMs(): number {
    return this.#config.initializeTimeoutMs ?? this.#options.limits.initializeTimeoutMs;
  }

  async #waitForPort(): Promise<StartFailure | undefined> {
    const { startTimeoutMs } = this.#options.limits;
    const deadlineAtMs = performance.now() + startTimeoutMs;
    while (!(await portAnswers(this.#port))) {
      if (this.#child.exit !== undefined) {
        // Its last lines come after its exit.
        await this.exited;
        return this.#exitFailure();
      }
      if (performance.now() > deadlineAtMs) {
        return {
          code: "FunctionNotStarted",
          message: `port ${this.#port} did not answer in ${startTimeoutMs} ms`,
        };
      }
      await delay(POLL_MS);
    }
    return undefined;
  }

  /** The initializer's duration in milliseconds (0 without one), or why the instance cannot be used. */
  async #initialize(): Promise<number | StartFailure> {
    if (!this.#config.initializer) return 0;
    const startedAtMs = performance.now();
    const result = await this.#server.initialize(this.id, this.#initializeTimeoutMs);
    if (result.end === "replied" && result.reply.status < 300) return performance.now() - startedAtMs;
    if (result.end === "failed" && (await fulfilsWithin(this.exited, SETTLE_MS))) return this.#exitFailure();
    // ASSUMED: Function Compute's code for an initializer that fails is not documented.
    const why = result.end === "replied" ? `answered ${result.reply.status}` : `ended with ${result.end}`;
    return {
      code: "FunctionNotStarted",
      message: `POST /initialize ${why}. Logs: ${this.#logs.recent}`,
    };
  }

  /** A broken connection nearly always means that the process ended: then its exit says more than the socket. */
  async #whyBroken(error: Error): Promise<{ code: "CAExited" | "BadResponse"; message: string }> {
    if (await fulfilsWithin(this.exited, SETTLE_MS))
      return { code: "CAExited", message: this.#exitMessage() };
    return { code: "BadResponse", message: error.message };
  }

  #exitFailure(): StartFailure {
    const noProgram = this.#cgroup === undefined ? this.pid === undefined : this.#child.exit === "code 127";
    return { code: noProgram ? "CAFileNotFound" : "CAExited", message: this.#exitMessage() };
  }

  #exitMessage(): string {
    const command = this.#config.command.join(" ");
    const memory = this.#outOfMemory ? `, it used more than its memory of ${this.#config.memoryMib} MiB` : "";
    return `Function instance exited unexpectedly (${this.#child.exit}${memory}) with start command '${command}'. Logs: ${this.#logs.recent}`;
  }
}
