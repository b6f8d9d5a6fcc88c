/** The server's side of a replica process: starts it, asks it one thing at a time, notices when it dies or hangs. */
import { type ChildProcess, fork, type ForkOptions } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { delimiter, join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import type { Logger } from "pino";
import { forEachLine } from "../../base/text-lines.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import type { ModelConfig } from "../models/model-config.ts";
import type { InferenceResult, ModelFile } from "../models/model-runner.ts";
import type { Session } from "../models/session.ts";
import { LoadFault } from "./load-fault.ts";
import type { Framed } from "./wire/frames.ts";
import { CallChannel, type ReplicaAnswer, replicaStdio } from "./wire/replica-channel.ts";

/** Server to replica over the channel of its process, first and once. */
export interface LoadRequest {
  readonly kind: "load";
  readonly model: ModelFile;
  readonly threads: number;
}

/** Replica to server: the reply to that. */
export type LoadReply =
  | { readonly kind: "loaded"; readonly loaded: LoadedModel }
  | { readonly kind: "error"; readonly message: string; readonly status: number };

type Reply = LoadReply | Framed<ReplicaAnswer>;

/** What is known of a model once it is loaded. */
export type LoadedModel = Omit<Session, "run">;

export interface ReplicaOptions {
  readonly model: ModelFile;
  readonly threads: number;
  /** Module that the process runs. */
  readonly entry: URL;
  /** Longest time that loading the model may take. */
  readonly loadTimeoutMs: number;
  /** How often an idle replica is pinged, and how long it may take to answer. */
  readonly pingMs: number;
  readonly log: Logger;
  /** Gives a process of `entry` that waits for a model; undefined when there is none. Default: none. */
  readonly takeSpare?: () => ChildProcess | undefined;
}

/** How a run ended. `died`: the process crashed, or did not answer in time and was killed. */
export type RunEnd =
  | { readonly kind: "answered"; readonly result: InferenceResult }
  | { readonly kind: "failed"; readonly error: ProtocolError }
  | { readonly kind: "died"; readonly reason: string };

/** How long a replica that was asked to stop may take before it is killed. */
const stopTimeoutMs = 2_000;
/** Longest line of a replica's output that is logged, in characters. */
const longestLine = 2_000;

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #child: ChildProcess;
  readonly #channel: CallChannel;
  #asked: { resolve(reply: Reply | undefined): void; readonly timeout: NodeJS.Timeout } | undefined;
  /** Why we killed it, if we did. */
  #killReason: string | undefined;
  /** Resolves when the process has ended, with the reason, such as `SIGKILL` or `exit code 1`. */
  readonly ended: Promise<string>;

  /** Start the process. Call `load` next. */
  constructor(options: ReplicaOptions, index: number) {
    this.#options = options;
    const { model, entry, log, takeSpare } = options;
    const { cpuAffinity, env } = model.config ?? {};
    const isPlain = cpuAffinity === undefined && env === undefined;
    this.#child =
      (isPlain ? takeSpare?.() : undefined) ??
      fork(entry, {
        ...launchOptions(model.config, index),
        serialization: "advanced",
        stdio: [...replicaStdio],
      });
    for (const stream of ["stdout", "stderr"] as const) {
      forEachLine(this.#child[stream] as Readable, longestLine, (line) => {
        log.warn({ model: model.name, replica: index, stream }, line);
      });
    }
    this.#child.on("message", (reply: LoadReply) => this.#answered(reply));
    this.#channel = new CallChannel(
      (this.#child.stdio[4] as Duplex | null | undefined) ?? undefined,
      (answer) => this.#answered(answer),
      (why) => this.#kill(`sent what is no answer: ${why}`),
    );
    this.ended = this.#whenEnded();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Load the model. Rejects when it cannot be loaded, with a LoadFault where the process lives and says why. */
  async load(): Promise<LoadedModel> {
    const { model, threads, loadTimeoutMs } = this.#options;
    const load: LoadRequest = { kind: "load", model, threads };
    // When the send fails, the process is ending, and #whenEnded resolves the promise.
    const reply = await this.#ask(loadTimeoutMs, () => this.#child.send(load, () => {}));
    if (reply === undefined)
      throw new ProtocolError(`a replica of ${model.name} died (${await this.ended})`, 503);
    const plain = "plain" in reply ? reply.plain : reply;
    if (plain.kind === "loaded") return plain.loaded;
    if (plain.kind === "error") throw new LoadFault(plain.message, plain.status);
    throw faultOf(plain);
  }

  /** Run a batch. `rows` are those of each request; the process is killed when it has not answered after `limitMs`. */
  async run(inputs: readonly Tensor[], rows: readonly number[], limitMs: number): Promise<RunEnd> {
    const call = { plain: { kind: "run", rows }, tensors: inputs } as const;
    const reply = await this.#ask(limitMs, () => this.#channel.send(call));
    if (reply === undefined) return { kind: "died", reason: await this.ended };
    if (!("plain" in reply)) return { kind: "failed", error: faultOf(reply) };
    const { plain, tensors } = reply;
    if (plain.kind !== "result") return { kind: "failed", error: faultOf(plain) };
    const { kind: _, ...result } = plain;
    return { kind: "answered", result: { ...result, outputs: tensors } };
  }

  /** Whether the process answers; it is killed when it has not after `limitMs`. */
  async ping(limitMs: number): Promise<boolean> {
    const call = { plain: { kind: "ping" }, tensors: [] } as const;
    return (await this.#ask(limitMs, () => this.#channel.send(call))) !== undefined;
  }

  /** Stop the process: it ends when its channel closes, or is killed. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), stopTimeoutMs);
    await this.ended;
    clearTimeout(kill);
  }

  /** Resolves with undefined when the process ends before it answers. */
  #ask(limitMs: number, send: () => void): Promise<Reply | undefined> {
    if (!this.#child.connected) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const timeout = setTimeout(
        () => this.#kill(`hung: no answer within ${Math.round(limitMs)} ms`),
        limitMs,
      );
      this.#asked = { resolve, timeout };
      send();
    });
  }

  /** A thread that is stopped or in native code answers nothing, so only SIGKILL ends it. */
  #kill(reason: string): void {
    this.#killReason ??= reason;
    this.#child.kill("SIGKILL");
  }

  #answered(reply: Reply | undefined): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    this.#asked = undefined;
    clearTimeout(asked.timeout);
    asked.resolve(reply);
  }

  async #whenEnded(): Promise<string> {
    // A process that cannot be started gives 'error' instead of 'exit'.
    const [code, signal] = (await once(this.#child, "exit").catch((error: Error) => [
      error.message,
      null,
    ])) as [number | string | null, string | null];
    this.#answered(undefined);
    return this.#killReason ?? signal ?? (typeof code === "string" ? code : `exit code ${code}`);
  }
}

function faultOf(reply: LoadReply | ReplicaAnswer): ProtocolError {
  if (reply.kind === "error") return new ProtocolError(reply.message, reply.status);
  return new ProtocolError(`a replica sent an unexpected reply, "${reply.kind}"`, 500);
}

/**
 * The cores and the environment of a replica's process; when a setting is a list, replicas take its entries in turn.
 * Throws an Error when cores are set, but there is no `taskset` or this machine has no such core.
 */
export function launchOptions(
  config: ModelConfig | undefined,
  index: number,
): Pick<ForkOptions, "execPath" | "execArgv" | "env"> {
  const cores = inTurn(config?.cpuAffinity, index);
  const env = inTurn(config?.env, index);
  if (cores !== undefined) checkCores(cores);
  return {
    // taskset becomes the process that it starts, so the pid and the channel are those of the replica.
    ...(cores !== undefined && { execPath: "taskset", execArgv: ["-c", cores, process.execPath] }),
    ...(env !== undefined && { env: { ...process.env, ...env } }),
  };
}

function inTurn<T>(setting: T | readonly T[] | undefined, index: number): T | undefined {
  return Array.isArray(setting) ? (setting[index % setting.length] as T) : (setting as T | undefined);
}

function checkCores(cores: string): void {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  if (!folders.some((folder) => existsSync(join(folder, "taskset"))))
    throw new Error(`cpuAffinity is "${cores}"; it needs the program taskset (Linux, package util-linux)`);
  const highest = Math.max(...cores.split(/[,-]/).map(Number));
  if (highest >= cpus().length)
    throw new Error(`cpuAffinity is "${cores}"; allowed: cores 0 to ${cpus().length - 1} of this machine`);
}
