/**
 * One instance of a function: a real child process on the custom-runtime contract (an HTTP server that takes
 * POST /initialize, POST /invoke and GET /pre-stop). It runs one call at a time; its owner sees to that.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { Client } from "undici";
import type { Call, CallFault, TriggerRequest } from "./call.ts";
import { Child } from "./child.ts";
import { exchange, type Exchange, type Reply } from "./exchange.ts";
import {
  instanceEnvironment,
  instanceHeaders,
  type FcErrorCode,
  type FunctionConfig,
} from "./fc-contract.ts";
import type { InstanceLimits } from "./instance-limits.ts";
import { portAnswers, reservePort } from "./loopback-port.ts";

/** The part of a pino logger that the function host uses. */
export type Log = Pick<Logger, "info" | "warn" | "error">;

export interface InstanceOptions {
  readonly id: string;
  readonly limits: InstanceLimits;
  readonly log: Log;
  /** Ports of all instances of the host; the instance adds its own and takes it out when it is gone. */
  readonly takenPorts: Set<number>;
}

/** How a start ended: ready for its first call, or gone again with the code that the caller sees. */
export type StartEnd =
  | { readonly started: true; readonly instance: Instance; readonly initializeMs: number }
  | { readonly started: false; readonly code: FcErrorCode; readonly message: string };

/** How a call ended. `durationMs` runs from when it was handed to the ready instance. */
export type InvokeEnd = { readonly durationMs: number; readonly logTail: string } & (
  | { readonly end: "replied"; readonly reply: Reply }
  | { readonly end: "timeout" }
  | { readonly end: "broken"; readonly code: "CAExited" | "BadResponse"; readonly message: string }
);

const POLL_MS = 5;
const LOG_TAIL_CHARS = 4096;
/** Time for the exit of a process to be seen after its connection broke. */
const SETTLE_MS = 500;

export class Instance {
  readonly id: string;
  readonly #config: FunctionConfig;
  readonly #options: InstanceOptions;
  readonly #port: number;
  readonly #child: Child;
  readonly #client: Client;
  #logTail = "";
  #gone: Promise<void> | undefined;

  private constructor(config: FunctionConfig, options: InstanceOptions, port: number) {
    this.id = options.id;
    this.#config = config;
    this.#options = options;
    this.#port = port;
    const settings = { id: options.id, port, initializeTimeoutMs: this.#initializeTimeoutMs };
    const env = instanceEnvironment(config, settings, process.env);
    this.#child = new Child({
      command: config.command,
      folder: config.folder,
      env,
      onLine: (stream, line) => this.#logLine(stream, line),
    });
    // The instance's own time limits bound every request; a reply's headers may have 8 KB, as on the cloud.
    this.#client = new Client(`http://127.0.0.1:${port}`, {
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 8192,
    });
  }

  /**
   * Start a process, wait until its port answers, and run its initializer when it has one.
   * When it does not come up the process is gone before this returns.
   *
   * @throws Error when no port is free
   */
  static async start(config: FunctionConfig, options: InstanceOptions): Promise<StartEnd> {
    const port = await reservePort(options.takenPorts);
    let instance: Instance;
    try {
      instance = new Instance(config, options, port);
    } catch (error) {
      options.takenPorts.delete(port);
      return { started: false, code: "FunctionNotStarted", message: String(error) };
    }
    const initialized = (await instance.#waitForPort()) ?? (await instance.#initialize());
    if (typeof initialized === "number") return { started: true, instance, initializeMs: initialized };
    await instance.kill();
    return { started: false, ...initialized };
  }

  /** Undefined when the process could not be made. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get #initializeTimeoutMs(): number {
    return this.#config.initializeTimeoutMs ?? this.#options.limits.initializeTimeoutMs;
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
    this.#logTail = "";
    const startedAtMs = performance.now();
    const sent = call.trigger === undefined ? this.#sendEvent(call) : this.#passOn(call, call.trigger);
    if (call.fault?.crash === true) this.#child.kill();
    const result = await this.#slowed(await sent, startedAtMs, call.fault);
    const ended = { durationMs: performance.now() - startedAtMs, logTail: this.#logTail };
    if (result.end !== "failed") return { ...ended, ...result };
    // A broken connection nearly always means that the process ended: then its exit says more than the socket.
    if (await within(this.exited, SETTLE_MS)) {
      return { ...ended, end: "broken", code: "CAExited", message: this.#exitMessage() };
    }
    return { ...ended, end: "broken", code: "BadResponse", message: result.error.message };
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
      if (this.#config.preStop === true) await this.#send("GET", "/pre-stop", this.id, timeoutMs);
      this.#child.terminate();
      await within(this.exited, killAfterMs);
    }
    if (this.#child.exit === undefined) this.#child.kill();
    await this.exited;
    await this.#client.destroy();
    this.#options.takenPorts.delete(this.#port);
  }

  async #waitForPort(): Promise<{ code: FcErrorCode; message: string } | undefined> {
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
  async #initialize(): Promise<number | { code: FcErrorCode; message: string }> {
    if (!this.#config.initializer) return 0;
    const startedAtMs = performance.now();
    const result = await this.#send("POST", "/initialize", this.id, this.#initializeTimeoutMs);
    if (result.end === "replied" && result.reply.status < 300) return performance.now() - startedAtMs;
    if (result.end === "failed" && (await within(this.exited, SETTLE_MS))) return this.#exitFailure();
    // ASSUMED: Function Compute's code for an initializer that fails is not documented.
    const why = result.end === "replied" ? `answered ${result.reply.status}` : `ended with ${result.end}`;
    return { code: "FunctionNotStarted", message: `POST /initialize ${why}` };
  }

  /** The end of a call after the extra time that was asked for, which the function's time limit bounds as any other. */
  async #slowed(result: Exchange, startedAtMs: number, fault: CallFault | undefined): Promise<Exchange> {
    if (fault === undefined || result.end !== "replied") return result;
    const durationMs = performance.now() - startedAtMs;
    const leftMs = this.#config.timeoutMs - durationMs;
    const extraMs = fault.extraMs(durationMs);
    if (extraMs > 0) await delay(Math.min(extraMs, Math.max(0, leftMs)));
    return extraMs > leftMs ? { end: "timeout" } : result;
  }

  #sendEvent({ requestId, body }: Call): Promise<Exchange> {
    return this.#send("POST", "/invoke", requestId, this.#config.timeoutMs, body);
  }

  #passOn({ requestId, body }: Call, { method, path, headers }: TriggerRequest): Promise<Exchange> {
    return exchange(this.#client, {
      method,
      path,
      headers: { ...headers, ...instanceHeaders(this.#config, "/http-invoke", requestId) },
      ...(body.length > 0 && { body }),
      timeoutMs: this.#config.timeoutMs,
      maxReplyBytes: this.#options.limits.maxReplyBytes,
    });
  }

  #send(
    method: "GET" | "POST",
    path: "/invoke" | "/initialize" | "/pre-stop",
    requestId: string,
    timeoutMs: number,
    body?: Uint8Array,
  ): Promise<Exchange> {
    const headers = instanceHeaders(this.#config, path, requestId);
    const { maxReplyBytes } = this.#options.limits;
    if (body === undefined)
      return exchange(this.#client, { method, path, headers, timeoutMs, maxReplyBytes });
    headers["content-type"] = "application/octet-stream";
    return exchange(this.#client, { method, path, headers, body, timeoutMs, maxReplyBytes });
  }

  #logLine(stream: "stdout" | "stderr", line: string): void {
    this.#logTail = `${this.#logTail}${line}\n`.slice(-LOG_TAIL_CHARS);
    this.#options.log.info({ function: this.#config.name, instance: this.id, stream }, line);
  }

  #exitFailure(): { code: FcErrorCode; message: string } {
    return { code: this.pid === undefined ? "CAFileNotFound" : "CAExited", message: this.#exitMessage() };
  }

  #exitMessage(): string {
    const command = this.#config.command.join(" ");
    return `Function instance exited unexpectedly (${this.#child.exit}) with start command '${command}'. Logs: ${this.#logTail}`;
  }
}

/** Whether a promise that never rejects is fulfilled within a time. */
async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const stop = new AbortController();
  const late = delay(ms, false, { signal: stop.signal }).catch(() => false);
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    stop.abort();
  }
}
