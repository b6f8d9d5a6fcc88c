/** A name under which a model is served, which stays the same object while the version behind it is replaced. */
import type { Observer } from "../observe/model-statistics.ts";
import type { ModelFile, ModelRunner, ModelStatus } from "./model-runner.ts";

type Run = ModelRunner["run"];

export class ServedModel implements ModelRunner {
  #current: ModelRunner;
  readonly #observers: readonly Observer[];
  #isRetired = false;
  /** Why it could not be loaded at first. */
  #loadFault: string | undefined;
  /** Why a later version does not serve in its place. */
  #laterFault: string | undefined;

  constructor(runner: ModelRunner, observers: readonly Observer[]) {
    this.#current = runner;
    this.#observers = observers;
  }

  get model(): ModelFile {
    return this.#current.model;
  }

  get replicas(): number {
    return this.#current.replicas;
  }

  get isReady(): boolean {
    return !this.#isRetired && this.#current.isReady;
  }

  get metadata(): ModelRunner["metadata"] {
    return this.#current.metadata;
  }

  get joining(): ModelRunner["joining"] {
    return this.#current.joining;
  }

  get isOnDemand(): boolean {
    return this.#current.isOnDemand === true;
  }

  /** It could not be loaded; a pipeline, which has no process of its own, would not tell. */
  failed(reason: string): void {
    this.#loadFault = reason;
  }

  ready(): Promise<void> {
    return this.#current.ready();
  }

  checkRoom(bytes: number): void {
    this.#current.checkRoom(bytes);
  }

  run(...args: Parameters<Run>): ReturnType<Run> {
    const calledAtMs = performance.now();
    const { model } = this.#current;
    const ended = (status: number, queuedMs: number, serviceMs: number): void => {
      const end = { model, totalMs: performance.now() - calledAtMs, status, queuedMs, serviceMs };
      for (const observer of this.#observers) observer.onRequest?.(end);
    };
    return this.#current.run(...args).then(
      (result) => {
        ended(200, result.queuedMs, result.serviceMs);
        return result;
      },
      (error: { status?: number }) => {
        ended(error.status ?? 500, 0, 0);
        throw error;
      },
    );
  }

  status(): ModelStatus {
    const status = this.#current.status();
    if (status.lastError !== undefined) return status;
    if (this.#current.isReady)
      return this.#laterFault === undefined ? status : { ...status, lastError: this.#laterFault };
    return { ...status, lastError: this.#loadFault };
  }

  /**
   * Serve with another runner from now on. Returns the one before, which may still have requests to finish.
   *
   * @param laterFault why a later version does not serve
   */
  replace(next: ModelRunner, laterFault?: string): ModelRunner {
    const before = this.#current;
    this.#current = next;
    this.#loadFault = undefined;
    this.#laterFault = laterFault;
    return before;
  }

  /** Say from now on that the model is not ready, and still serve it. */
  retire(): void {
    this.#isRetired = true;
  }

  close(): Promise<void> {
    return this.#current.close();
  }
}
