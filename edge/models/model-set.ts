/**
 * The models that a server serves now: loads, replaces and unloads them by name. A version is replaced only when the
 * next one can answer, and stopped only when it has answered what it had accepted.
 */
import { once } from "node:events";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelFile, ModelRunner } from "./model-runner.ts";
import type { Observer } from "../observe/observer.ts";
import type { ServerEvents } from "../observe/server-events.ts";
import type { Repository } from "./repository.ts";
import { ServedModel } from "./served-model.ts";

export interface ModelSetOptions {
  readonly repository: Repository;
  /** Begins to load a model. */
  readonly open: (model: ModelFile) => ModelRunner;
  readonly observers: readonly Observer[];
  readonly events: ServerEvents;
}

/** A model that is to be loaded. */
export interface Candidate {
  readonly model: ModelFile;
  /** Called when it serves, and the version before it has ended. */
  taken?(): Promise<void>;
  /** Called when it could not be loaded. */
  refused?(): Promise<void>;
}

/** An entry of the V2 repository index. */
export interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state: "READY" | "LOADING" | "UNLOADING" | "UNAVAILABLE";
  readonly reason: string;
}

export class ModelSet implements Iterable<ServedModel> {
  readonly #options: ModelSetOptions;
  readonly #served = new Map<string, ServedModel>();
  /** Names that stop serving, and why those that were served do so no more. */
  readonly #unloading = new Set<string>();
  readonly #reasons = new Map<string, string>();
  /** What changes a name waits for the change before. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** What is being loaded to replace or add a model. */
  readonly #opening = new Set<ModelRunner>();
  readonly #closing = new AbortController();
  readonly #toLoad: ModelFile[];

  /** @param models that are loaded once `ready` is called; they are not checked further */
  constructor(options: ModelSetOptions, models: readonly ModelFile[]) {
    this.#options = options;
    this.#toLoad = [...models];
  }

  find(name: string): ServedModel | undefined {
    return this.#served.get(name);
  }

  [Symbol.iterator](): Iterator<ServedModel> {
    return this.#served.values();
  }

  /** Begins to load; resolves when every model can answer. Throws an Error that names a model that cannot be loaded. */
  async ready(): Promise<void> {
    for (const model of this.#toLoad.splice(0)) this.#begin(model);
    for (const served of this.#served.values()) {
      await served.ready().catch((error: Error) => {
        const { name, path } = served.model;
        throw new Error(`model ${name} (${path}) cannot be loaded: ${error.message}`, { cause: error });
      });
    }
  }

  #begin(model: ModelFile): void {
    const { open, events } = this.#options;
    const runner = open(model);
    this.#served.set(model.name, this.#serve(runner));
    runner.ready().then(
      () => events.add(model.name, `version ${model.version} loaded`),
      (error: Error) => events.add(model.name, `cannot be loaded: ${error.message}`),
    );
  }

  /** Every model of the repository and every one that is served, by name. */
  index(): IndexEntry[] {
    const names = new Set([...this.#options.repository.names(), ...this.#served.keys()]);
    return [...names].sort().map((name) => this.#entryOf(name));
  }

  /**
   * Load a model, or load it anew.
   *
   * @param prepare finds or makes what to load; without it what the repository has now under that name
   * @throws ProtocolError: 404 when there is no such model, 400 when it cannot be loaded; what served goes on serving
   */
  load(name: string, prepare?: () => Promise<Candidate>): Promise<void> {
    const fromRepository = async (): Promise<Candidate> => ({ model: this.#options.repository.read(name) });
    return this.#inTurn(name, () => this.#load(name, prepare ?? fromRepository));
  }

  /** Stop to serve a model, once it has answered what it had accepted. Throws a ProtocolError: 404 when it is not served. */
  unload(name: string, reason: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const served = this.#served.get(name);
      if (served === undefined) throw new ProtocolError(`model "${name}" is not loaded`, 404);
      this.#served.delete(name);
      this.#unloading.add(name);
      this.#reasons.set(name, reason);
      await this.#retire(served);
      this.#unloading.delete(name);
      this.#options.events.add(name, `version ${served.model.version} ${reason}`);
    });
  }

  /** Names of the models that serve the files of another. */
  dependentsOf(name: string): string[] {
    return [...this.#served.values()]
      .filter(({ model }) => model.config?.base === name)
      .map(({ model }) => model.name);
  }

  /** Say from now on that nothing is ready, and still serve. */
  retire(): void {
    for (const served of this.#served.values()) served.retire();
  }

  /** Let what was accepted end, then stop every model. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#opening].map((runner) => runner.close()));
    await Promise.allSettled(this.#turns.values());
    // Pipelines first: what they have accepted needs the other models yet.
    const pipelines = [...this.#served.values()].filter(({ model }) => model.config?.pipeline !== undefined);
    await Promise.all(pipelines.map((served) => served.close()));
    await Promise.all([...this.#served.values()].map((served) => served.close()));
  }

  async #load(name: string, prepare: () => Promise<Candidate>): Promise<void> {
    const served = this.#served.get(name);
    let candidate: Candidate | undefined;
    let next: ModelRunner;
    try {
      candidate = await prepare();
      next = await this.#opened(candidate.model);
    } catch (error) {
      await candidate?.refused?.();
      throw this.#refusal(name, error as Error, served);
    }
    this.#options.events.add(name, `version ${next.model.version} loaded`);
    this.#reasons.delete(name);
    if (served === undefined) this.#served.set(name, this.#serve(next));
    else await this.#retire(served.replace(next), next.model.version);
    await candidate.taken?.();
  }

  /** A runner that can answer. */
  async #opened(model: ModelFile): Promise<ModelRunner> {
    if (model.config?.disabled === true) throw new Error("it is disabled in its config.yaml");
    const runner = this.#options.open(model);
    const settled = new AbortController();
    this.#opening.add(runner);
    try {
      await Promise.race([runner.ready(), this.#closed(settled.signal)]);
      return runner;
    } catch (error) {
      await runner.close();
      throw error;
    } finally {
      this.#opening.delete(runner);
      settled.abort();
    }
  }

  /** Rejects when the server closes: what is being loaded then may never be ready, nor fail. */
  async #closed(settled: AbortSignal): Promise<never> {
    await once(this.#closing.signal, "abort", { signal: settled });
    throw new Error("the server is shutting down");
  }

  #refusal(name: string, error: Error & { status?: number }, served: ServedModel | undefined): ProtocolError {
    const goesOn = served === undefined ? "" : `; version ${served.model.version} goes on serving`;
    const text = `model "${name}" cannot be loaded: ${error.message}${goesOn}`;
    this.#options.events.add(name, text);
    this.#reasons.set(name, error.message);
    return new ProtocolError(text, error.status === 404 ? 404 : 400);
  }

  #serve(runner: ModelRunner): ServedModel {
    return new ServedModel(runner, this.#options.observers);
  }

  async #retire(runner: ModelRunner, nextVersion?: string): Promise<void> {
    await runner.close();
    if (runner.model.version === nextVersion) return;
    for (const observer of this.#options.observers) observer.onUnloaded(runner.model);
  }

  #inTurn<T>(name: string, change: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(() => {
      if (this.#closing.signal.aborted) throw new ProtocolError("the server is shutting down", 503);
      return change();
    });
    const settled = turn.catch(() => {});
    this.#turns.set(name, settled);
    void settled.then(() => this.#turns.get(name) === settled && this.#turns.delete(name));
    return turn;
  }

  #entryOf(name: string): IndexEntry {
    const served = this.#served.get(name);
    const reason = this.#reasons.get(name);
    if (served === undefined) {
      if (this.#unloading.has(name)) return { name, state: "UNLOADING", reason: reason ?? "" };
      if (this.#turns.has(name)) return { name, state: "LOADING", reason: "" };
      return { name, state: "UNAVAILABLE", reason: reason ?? this.#whyNotServed(name) };
    }
    const { version } = served.model;
    // Of a version that serves on, the reason says why the next one does not.
    if (served.isReady) return { name, version, state: "READY", reason: reason ?? "" };
    const { state, lastError = "" } = served.status();
    const isLoading = state === "loading" && lastError === "";
    return { name, version, state: isLoading ? "LOADING" : "UNAVAILABLE", reason: lastError };
  }

  #whyNotServed(name: string): string {
    try {
      return this.#options.repository.read(name).config?.disabled === true ? "disabled" : "not loaded";
    } catch (error) {
      return (error as Error).message;
    }
  }
}
