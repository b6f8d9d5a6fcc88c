/**
 * The process of an instance: it comes up, runs its initializer, goes politely or not, and tells why it ended. Apart from
 * the instance, which meters what is called on it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { CallLogs } from "../calls/call-logs.ts";
import type { Cgroup } from "./cgroup.ts";
import { Child } from "./child.ts";
import { instanceEnvironment, type FcErrorCode, type FunctionConfig } from "../fc-contract.ts";
import { fulfilsWithin } from "../../../base/fulfils-within.ts";
import { FunctionServer } from "./function-server.ts";
import type { InstanceLimits } from "./instance-limits.ts";
import type { Log } from "../log.ts";
import { portAnswers } from "./loopback-port.ts";

export interface FunctionProcessOptions {
  /** Of its instance. */
  readonly id: string;
  readonly port: number;
  /** The group that holds it to its function's size; goes with it. */
  readonly cgroup: Cgroup | undefined;
  readonly limits: InstanceLimits;
  readonly log: Log;
}

/** Why an instance cannot be used, as the caller sees it. */
export interface StartFailure {
  readonly code: FcErrorCode;
  readonly message: string;
}

const POLL_MS = 5;
/** Time for the exit of a process to be seen after its connection broke. */
const SETTLE_MS = 500;
/** Of what an initializer answers, in characters. */
const LONGEST_ANSWER = 300;

export class FunctionProcess {
  readonly server: FunctionServer;
  /** What it prints, by call. */
  readonly logs = new CallLogs();
  readonly #config: FunctionConfig;
  readonly #options: FunctionProcessOptions;
  readonly #child: Child;
  #outOfMemory = false;

  /** @throws Error when no process can be made */
  constructor(config: FunctionConfig, options: FunctionProcessOptions) {
    this.#config = config;
    this.#options = options;
    const { id, port, cgroup, log, limits } = options;
    const settings = { id, port, initializeTimeoutMs: this.#initializeTimeoutMs };
    this.#child = new Child({
      command: cgroup?.entered(config.command) ?? config.command,
      folder: config.folder,
      env: instanceEnvironment(config, settings, process.env),
      onLine: (stream, line) => {
        this.logs.line(line);
        log.info({ function: config.name, instance: id, stream }, line);
      },
      // The group is gone soon after, and what it counted with it.
      onExit: () => {
        this.#outOfMemory = cgroup?.outOfMemory ?? false;
      },
    });
    this.server = new FunctionServer(config, port, limits.maxReplyBytes);
  }

  /** Undefined when the process could not be made. */
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

  /**
   * Wait until the port answers, and run the initializer where there is one: its duration in milliseconds, 0 without one.
   * Never rejects.
   */
  async comeUp(): Promise<number | StartFailure> {
    return (await this.#waitForPort()) ?? (await this.#initialize());
  }

  /** SIGKILL, whatever it is doing. */
  kill(): void {
    this.#child.kill();
  }

  /**
   * Fulfilled when the process is gone, and its group with it.
   *
   * @param politely GET /pre-stop, then SIGTERM, then SIGKILL after a bound; else SIGKILL at once
   */
  async end(politely: boolean): Promise<void> {
    const { id, cgroup, log, limits } = this.#options;
    if (politely && !this.hasEnded) {
      const { preStop, preStopTimeoutMs = limits.preStopTimeoutMs } = this.#config;
      const timeoutMs = Math.min(limits.preStopTimeoutMs, preStopTimeoutMs);
      if (preStop === true) await this.server.preStop(id, timeoutMs);
      this.#child.terminate();
      await fulfilsWithin(this.exited, limits.killAfterMs);
    }
    if (!this.hasEnded) this.#child.kill();
    // Ends what left the process's own group, too, which may hold its output open.
    const removed = await cgroup?.remove();
    await this.exited;
    if (removed === false) {
      log.warn({ instance: id }, "the control group of an instance could not be removed");
    }
    await this.server.close();
  }

  /** A broken connection nearly always means that the process ended: then its exit says more than the socket. */
  async whyBroken(error: Error): Promise<{ code: "CAExited" | "BadResponse"; message: string }> {
    if (await fulfilsWithin(this.exited, SETTLE_MS))
      return { code: "CAExited", message: this.#exitMessage() };
    return { code: "BadResponse", message: error.message };
  }

  get #initializeTimeoutMs(): number {
    return this.#config.initializeTimeoutMs ?? this.#options.limits.initializeTimeoutMs;
  }

  async #waitForPort(): Promise<StartFailure | undefined> {
    const { port, limits } = this.#options;
    const { startTimeoutMs } = limits;
    const deadlineAtMs = performance.now() + startTimeoutMs;
    while (!(await portAnswers(port))) {
      if (this.hasEnded) {
        // Its last lines come after its exit.
        await this.exited;
        return this.#exitFailure();
      }
      if (performance.now() > deadlineAtMs) {
        return {
          code: "FunctionNotStarted",
          message: `port ${port} did not answer in ${startTimeoutMs} ms`,
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
    const result = await this.server.initialize(this.#options.id, this.#initializeTimeoutMs);
    if (result.end === "replied" && result.reply.status < 300) return performance.now() - startedAtMs;
    if (result.end === "failed" && (await fulfilsWithin(this.exited, SETTLE_MS))) return this.#exitFailure();
    // ASSUMED: Function Compute's code for an initializer that fails is not documented.
    const said =
      result.end === "replied" ? Buffer.from(result.reply.body).toString().slice(0, LONGEST_ANSWER) : "";
    const why = result.end === "replied" ? `answered ${result.reply.status}` : `ended with ${result.end}`;
    return {
      code: "FunctionNotStarted",
      message: `POST /initialize ${why}${said && `: ${said}`}. Logs: ${this.logs.recent}`,
    };
  }

  #exitFailure(): StartFailure {
    const noProgram =
      this.#options.cgroup === undefined ? this.pid === undefined : this.#child.exit === "code 127";
    return { code: noProgram ? "CAFileNotFound" : "CAExited", message: this.#exitMessage() };
  }

  #exitMessage(): string {
    const command = this.#config.command.join(" ");
    const memory = this.#outOfMemory ? `, it used more than its memory of ${this.#config.memoryMib} MiB` : "";
    return `Function instance exited unexpectedly (${this.#child.exit}${memory}) with start command '${command}'. Logs: ${this.logs.recent}`;
  }
}
