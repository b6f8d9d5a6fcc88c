/**
 * The server's side of one replica process: starts it, asks it one thing at a time, and notices when it dies or
 * hangs. Whether to start another is its keeper's business.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Logger } from "pino";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelMetadata } from "../../protocol/message.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import type { InferenceResult, ModelFile } from "../models/model-runner.ts";
import { forEachLine } from "../../base/text-lines.ts";
import { replicaLaunch } from "./replica-launch.ts";
import type { ReplicaReply, ReplicaRequest } from "./replica-message.ts";

export interface ReplicaOptions {
  readonly model: ModelFile;
  readonly threads: number;
  /** Module that the process runs. */
  readonly entry: URL;
  /** Longest time that loading the model may take. */
  readonly loadTimeoutMs: number;
  /** How often a replica that has nothing to do is asked whether it lives, and how long it may take to say so. */
  readonly pingMs: number;
  readonly log: Logger;
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

interface Question {
  readonly resolve: (reply: ReplicaReply | undefined) => void;
  readonly timeout: NodeJS.Timeout;
}

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #child: ChildProcess;
  #question: Question | undefined;
  /** Why it was killed, when we did it. */
  #killReason: string | undefined;
  /** Resolves with the reason, such as `SIGKILL` or `exit code 1`, when the process has ended. */
  readonly ended: Promise<string>;

  /** Start the process. Call `load` next. */
  constructor(options: ReplicaOptions, index: number) {
    this.#options = options;
    const { model, entry, log } = options;
    this.#child = fork(entry, {
      ...replicaLaunch(model.config, index),
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    for (const stream of ["stdout", "stderr"] as const) {
      forEachLine(this.#child[stream] as Readable, longestLine, (line) => {
        log.warn({ model: model.name, replica: index, stream }, line);
      });
    }
    this.#child.on("message", (reply: ReplicaReply) => this.#settle(reply));
    this.ended = this.#whenEnded();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Load the model. Rejects with a ProtocolError when it cannot be loaded. */
  async load(): Promise<ModelMetadata> {
    const { model, threads, loadTimeoutMs } = this.#options;
    const reply = await this.#ask({ kind: "load", model, threads }, loadTimeoutMs);
    if (reply?.kind === "loaded") return reply.metadata;
    if (reply !== undefined) throw faultOf(reply);
    throw new ProtocolError(`a replica of ${model.name} died (${await this.ended})`, 503);
  }

  /** Run a batch of requests with so many rows each; a process that has not answered after `limitMs` is killed. */
  async run(inputs: readonly Tensor[], rows: readonly number[], limitMs: number): Promise<RunEnd> {
    const reply = await this.#ask({ kind: "run", inputs, rows }, limitMs);
    if (reply === undefined) return { kind: "died", reason: await this.ended };
    if (reply.kind === "result") return { kind: "answered", result: reply.result };
    return { kind: "failed", error: faultOf(reply) };
  }

  /** Whether the process answers; one that has not after `limitMs` is killed. */
  async ping(limitMs: number): Promise<boolean> {
    return (await this.#ask({ kind: "ping" }, limitMs)) !== undefined;
  }

  /** Stop the process: it ends by itself when its channel closes, or is killed. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), stopTimeoutMs);
    await this.ended;
    clearTimeout(kill);
  }

  /** Resolves with undefined when the process ends before it answers. */
  #ask(request: ReplicaRequest, limitMs: number): Promise<ReplicaReply | undefined> {
    return new Promise((resolve) => {
      if (!this.#child.connected) {
        resolve(undefined);
        return;
      }
      const timeout = setTimeout(() => {
        this.#killReason = `hung: no answer within ${Math.round(limitMs)} ms`;
        // Its thread is in native code or stopped and answers nothing: only SIGKILL ends it.
        this.#child.kill("SIGKILL");
      }, limitMs);
      this.#question = { resolve, timeout };
      // A send that fails is a process that ends: #whenEnded settles the question.
      this.#child.send(request, () => {});
    });
  }

  #settle(reply: ReplicaReply | undefined): void {
    const question = this.#question;
    if (question === undefined) return;
    this.#question = undefined;
    clearTimeout(question.timeout);
    question.resolve(reply);
  }

  async #whenEnded(): Promise<string> {
    // 'error' comes instead of 'exit' when the process cannot be started.
    const [code, signal] = (await once(this.#child, "exit").catch((error: Error) => [
      error.message,
      null,
    ])) as [number | string | null, string | null];
    this.#settle(undefined);
    return this.#killReason ?? signal ?? (typeof code === "string" ? code : `exit code ${code}`);
  }
}

function faultOf(reply: ReplicaReply): ProtocolError {
  if (reply.kind === "error") return new ProtocolError(reply.message, reply.status);
  return new ProtocolError(`a replica answered "${reply.kind}" out of turn`, 500);
}
