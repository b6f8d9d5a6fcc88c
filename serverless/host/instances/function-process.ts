/** The process of an instance: starts it, runs its initializer, stops it, and says why it ended. */
import { setTimeout as delay } from "node:timers/promises";
import { fulfilsWithin } from "../../../base/fulfils-within.ts";
import type { Logger } from "pino";
import { maxTimeoutS, maxPayloadBytes } from "../../prices/fc-limits.ts";
import { instanceEnvironment, type FunctionConfig } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import { CallLogs } from "./call-logs.ts";
import type { Cgroup } from "./cgroup.ts";
import { Child } from "./child.ts";
import { FunctionServer } from "./function-server.ts";
import { portAnswers } from "./loopback-port.ts";

export interface InstanceLimits {
  /** From the start of the process until its port answers. */
  readonly startTimeoutMs: number;
  /** From POST /initialize until its reply. */
  readonly initializeTimeoutMs: number;
  /** From GET /pre-stop until its reply. */
  readonly preStopTimeoutMs: number;
  /** From SIGTERM until SIGKILL. */
  readonly killAfterMs: number;
  readonly maxReplyBytes: number;
}

/** Function Compute's limits, but for `/pre-stop`: 5 s instead of 90 s, so that the host stops quickly. */
export const defaultInstanceLimits: InstanceLimits = {
  startTimeoutMs: 120_000,
  initializeTimeoutMs: maxTimeoutS.initializer * 1_000,
  preStopTimeoutMs: 5_000,
  killAfterMs: 2_000,
  maxReplyBytes: maxPayloadBytes,
};

export interface FunctionProcessOptions {
  readonly instanceId: string;
  readonly port: number;
  /** The control group that bounds the process; it is removed with the process. */
  readonly cgroup: Cgroup | undefined;
  readonly limits: InstanceLimits;
  readonly log: Logger;
}

const pollMs = 5;
/** How long after a broken connection the exit of the process may be seen. */
const exitSettleMs = 500;
/** Characters of an initializer's answer that an error message repeats. */
const maxAnswerLength = 300;

export class FunctionProcess {
  readonly server: FunctionServer;
  /** The output by call. */
  readonly logs = new CallLogs();
  readonly #config: FunctionConfig;
  readonly #options: FunctionProcessOptions;
  readonly #child: Child;
  #outOfMemory = false;

  /** @throws Error when no process can be started */
  constructor(config: FunctionConfig, options: FunctionProcessOptions) {
    this.#config = config;
    this.#options = options;
    const { instanceId: id, port, cgroup, log, limits } = options;
    const settings = { id, port, initializeTimeoutMs: this.#initializeTimeoutMs };
    this.#child = new Child({
      command: cgroup?.entered(config.command) ?? config.command,
      folder: config.folder,
      env: instanceEnvironment(config, settings, process.env),
      onLine: (stream, line) => {
        this.logs.line(line);
        log.info({ function: config.name, instance: id, stream }, line);
      },
      // Read now, because the control group and its counters are removed soon.
      onExit: () => {
        this.#outOfMemory = cgroup?.outOfMemory ?? false;
      },
    });
    this.server = new FunctionServer(config, port, limits.maxReplyBytes);
  }

  get port(): number {
    return this.#options.port;
  }

  /** Undefined when the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Fulfilled with how the process ended. Never rejects. */
  get exited(): Promise<string> {
    return this.#child.exited;
  }

  get hasEnded(): boolean {
    return this.#child.exit !== undefined;
  }

  /** Fulfilled with the initializer's duration in milliseconds (0 without one), or with why the start failed. */
  async start(): Promise<number | FcRefusal> {
    return (await this.#waitForPort()) ?? (await this.#initialize());
  }

  /** Send SIGKILL at once. */
  kill(): void {
    this.#child.kill();
  }

  /** Gracefully: GET /pre-stop, then SIGTERM, and SIGKILL after a bound; else SIGKILL at once. */
  async end(gracefully: boolean): Promise<void> {
    const { instanceId: id, cgroup, log, limits } = this.#options;
    if (gracefully && !this.hasEnded) {
      const { preStop, preStopTimeoutMs = limits.preStopTimeoutMs } = this.#config;
      const timeoutMs = Math.min(limits.preStopTimeoutMs, preStopTimeoutMs);
      if (preStop === true) await this.server.runHook("/pre-stop", id, timeoutMs);
      this.#child.terminate();
      await fulfilsWithin(this.exited, limits.killAfterMs);
    }
    if (!this.hasEnded) this.#child.kill();
    // Removing the control group also ends processes that left the process group and may hold the output open.
    const removed = await cgroup?.remove();
    await this.exited;
    if (removed === false)
      log.warn({ instance: id }, "the control group of an instance could not be removed");
    await this.server.close();
  }

  /** Explain a broken connection: if the process ended, its exit says more than the socket's error. */
  async explainFailure(error: Error): Promise<FcRefusal> {
    const hasExited = await fulfilsWithin(this.exited, exitSettleMs);
    return hasExited
      ? new FcRefusal("CAExited", this.#exitMessage())
      : new FcRefusal("BadResponse", error.message);
  }

  get #initializeTimeoutMs(): number {
    return this.#config.initializeTimeoutMs ?? this.#options.limits.initializeTimeoutMs;
  }

  async #waitForPort(): Promise<FcRefusal | undefined> {
    const { port, limits } = this.#options;
    const { startTimeoutMs } = limits;
    const deadlineAtMs = performance.now() + startTimeoutMs;
    while (!(await portAnswers(port))) {
      if (this.hasEnded) {
        // The last lines of output come after the exit.
        await this.exited;
        return this.#exitFailure();
      }
      if (performance.now() > deadlineAtMs) {
        return new FcRefusal("FunctionNotStarted", `port ${port} did not answer in ${startTimeoutMs} ms`);
      }
      await delay(pollMs);
    }
    return undefined;
  }

  async #initialize(): Promise<number | FcRefusal> {
    if (!this.#config.initializer) return 0;
    const startedAtMs = performance.now();
    const result = await this.server.runHook(
      "/initialize",
      this.#options.instanceId,
      this.#initializeTimeoutMs,
    );
    if (result.end === "replied" && result.reply.status < 300) return performance.now() - startedAtMs;
    if (result.end === "failed" && (await fulfilsWithin(this.exited, exitSettleMs)))
      return this.#exitFailure();
    let why = `ended with ${result.end}`;
    if (result.end === "replied") {
      const answer = Buffer.from(result.reply.body).toString().slice(0, maxAnswerLength);
      why = `answered ${result.reply.status}${answer && `: ${answer}`}`;
    }
    // ASSUMED: Function Compute's code for an initializer that fails is not documented.
    return new FcRefusal("FunctionNotStarted", `POST /initialize ${why}. Logs: ${this.logs.recent}`);
  }

  #exitFailure(): FcRefusal {
    const isMissing =
      this.#options.cgroup === undefined ? this.pid === undefined : this.#child.exit === "code 127";
    return new FcRefusal(isMissing ? "CAFileNotFound" : "CAExited", this.#exitMessage());
  }

  #exitMessage(): string {
    const command = this.#config.command.join(" ");
    const memory = this.#outOfMemory ? `, it used more than its memory of ${this.#config.memoryMib} MiB` : "";
    return `Function instance exited unexpectedly (${this.#child.exit}${memory}) with start command '${command}'. Logs: ${this.logs.recent}`;
  }
}
