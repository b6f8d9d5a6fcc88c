/**
 * The server's side of one replica process: starts it, asks it one thing at a time, and notices when it dies
 * or hangs. Whether to start another is the pool's business.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { ProtocolError } from "../protocol/errors.ts";
import type { ModelMetadata } from "../protocol/message.ts";
import type { Tensor } from "../protocol/tensor.ts";
import type { InferenceResult, ModelFile } from "./model-runner.ts";
import { replicaLaunch } from "./replica-launch.ts";
import type { ReplicaReply, ReplicaRequest } from "./replica-message.ts";

export interface ReplicaOptions {
  readonly model: ModelFile;
  readonly threads: number;
  /** Module that the process runs. */
  readonly entry: URL;
  /** Longest time that loading the model may take. */
  readonly loadTimeoutMs: number;
  /** Longest time that one run may take; a replica that exceeds it is killed. */
  readonly runTimeoutMs: number;
}

/** How long a replica that was asked to stop may take before it is killed. */
const stopTimeoutMs = 2_000;

interface Question {
  readonly resolve: (reply: ReplicaReply) => void;
  readonly reject: (error: ProtocolError) => void;
  readonly timeout: NodeJS.Timeout;
}

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #child: ChildProcess;
  #question: Question | undefined;
  /** Resolves with the reason, such as `SIGKILL` or `exit code 1`, when the process has ended. */
  readonly ended: Promise<string>;

  /** Start the process. Call `load` next. */
  constructor(options: ReplicaOptions, index: number) {
    this.#options = options;
    this.#child = fork(options.entry, {
      ...replicaLaunch(options.model.config, index),
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (reply: ReplicaReply) => this.#settle((question) => question.resolve(reply)));
    this.ended = this.#whenEnded();
  }

  /** False once the process has ended or is about to. */
  get isAlive(): boolean {
    return this.#child.connected && !this.#child.killed && this.#child.exitCode === null;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Load the model. Rejects with a ProtocolError when it cannot be loaded. */
  async load(): Promise<ModelMetadata> {
    const { model, threads, loadTimeoutMs } = this.#options;
    const reply = await this.#ask({ kind: "load", model, threads }, loadTimeoutMs);
    if (reply.kind === "loaded") return reply.metadata;
    throw faultOf(reply);
  }

  /** Run a batch. Rejects with a ProtocolError; 503 when the process died or hung. */
  async run(inputs: readonly Tensor[]): Promise<InferenceResult> {
    const reply = await this.#ask({ kind: "run", inputs }, this.#options.runTimeoutMs);
    if (reply.kind === "result") return reply.result;
    throw faultOf(reply);
  }

  /** Stop the process: it ends by itself when its channel closes, or is killed. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), stopTimeoutMs);
    await this.ended;
    clearTimeout(kill);
  }

  #ask(request: ReplicaRequest, timeoutMs: number): Promise<ReplicaReply> {
    return new Promise((resolve, reject) => {
      const { name } = this.#options.model;
      if (!this.#child.connected) {
        reject(new ProtocolError(`a replica of ${name} died`, 503));
        return;
      }
      const timeout = setTimeout(() => {
        // Its thread is in native code and answers nothing: only a kill ends it.
        this.#child.kill("SIGKILL");
      }, timeoutMs);
      this.#question = { resolve, reject, timeout };
      // A send that fails is a process that ends: #whenEnded rejects the question.
      this.#child.send(request, () => {});
    });
  }

  #settle(how: (question: Question) => void): void {
    const question = this.#question;
    if (question === undefined) return;
    this.#question = undefined;
    clearTimeout(question.timeout);
    how(question);
  }

  async #whenEnded(): Promise<string> {
    // 'error' comes instead of 'exit' when the process cannot be started.
    const [code, signal] = (await once(this.#child, "exit").catch((error: Error) => [
      error.message,
      null,
    ])) as [number | string | null, string | null];
    const reason = signal ?? (typeof code === "string" ? code : `exit code ${code}`);
    const { name } = this.#options.model;
    this.#settle(({ reject }) => reject(new ProtocolError(`a replica of ${name} died (${reason})`, 503)));
    return reason;
  }
}

function faultOf(reply: ReplicaReply): ProtocolError {
  if (reply.kind === "error") return new ProtocolError(reply.message, reply.status);
  return new ProtocolError(`a replica answered "${reply.kind}" out of turn`, 500);
}
