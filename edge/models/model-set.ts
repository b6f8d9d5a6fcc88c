/** The models that a server serves now, loaded, replaced and unloaded by name without a gap. */
import { showValue } from "../../base/error-text.ts";
import { once } from "node:events";
import { ProtocolError } from "../../protocol/errors.ts";
import { failedModel } from "./failed-model.ts";
import type { ModelFile, ModelRunner } from "./model-runner.ts";
import type { Candidate, IndexEntry, ModelSetOptions } from "./model-set-options.ts";
import { ServedModel } from "./served-model.ts";

export class ModelSet implements Iterable<ServedModel> {
  readonly #options: ModelSetOptions;
  readonly #served = new Map<string, ServedModel>();
  /** Names that stop serving. */
  readonly #unloading = new Set<string>();
  /** By name: why it is not served, or not in its latest version. */
  readonly #reasons = new Map<string, string>();
  /** By name: the last change that was asked for, which the next one waits for. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Runners that load, to replace or add a model. */
  readonly #opening = new Set<ModelRunner>();
  readonly #closing = new AbortController();
  readonly #toLoad: ModelFile[];
  /** By name: settles when the model serves, in its latest version or an older one, or when none can be loaded. */
  readonly #starting = new Map<string, Promise<void>>();

  /**
   * @param models loaded once `ready` is called
   * @param faults models that cannot be read, each with the reason
   */
  constructor(
    options: ModelSetOptions,
    models: readonly ModelFile[],
    faults: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#options = options;
    this.#toLoad = [...models];
    for (const [name, reason] of faults) this.#addFailed({ name, version: "", path: "" }, reason);
  }

  find(name: string): ServedModel | undefined {
    return this.#served.get(name);
  }

  [Symbol.iterator](): Iterator<ServedModel> {
    return this.#served.values();
  }

  /**
   * Begins to load; resolves when every model can answer or has failed. Rejects with an Error that names those that cannot
   * be loaded when there is no other.
   *
   * @param isStrict reject as soon as one cannot be loaded
   */
  async ready(isStrict = false): Promise<void> {
    for (const model of this.#toLoad.splice(0)) this.#begin(model, isStrict);
    const faults: string[] = [];
    const all = [...this.#served.values()].map(async (served) => {
      try {
        if (!served.isOnDemand) await (this.#starting.get(served.model.name) ?? served.ready());
      } catch (error) {
        const { name, path } = served.model;
        const place = path === "" ? "" : ` (${path})`;
        faults.push(`model ${name}${place} cannot be loaded: ${(error as Error).message}`);
        if (isStrict) throw new Error(faults[0], { cause: error });
      }
    });
    await Promise.all(all);
    if (faults.length > 0 && faults.length === all.length) throw new Error(faults.join("\n"));
  }

  #begin(model: ModelFile, isStrict: boolean): void {
    const { open, observers } = this.#options;
    let runner: ModelRunner;
    try {
      runner = open(model);
    } catch (error) {
      return this.#addFailed(model, (error as Error).message);
    }
    const served = new ServedModel(runner, observers);
    this.#served.set(model.name, served);
    if (runner.isOnDemand === true) return;
    const started = this.#start(served, isStrict);
    started.catch(() => {});
    this.#starting.set(model.name, started);
  }

  /** Rejects with the latest version's fault when no version can be loaded. */
  async #start(served: ServedModel, isStrict: boolean): Promise<void> {
    const { events, log } = this.#options;
    const { model } = served;
    try {
      await served.ready();
      events.add(`version ${model.version} loaded`, { model: model.name });
    } catch (error) {
      const reason = (error as Error).message;
      served.failed(reason);
      events.add(`cannot be loaded: ${reason}`, { model: model.name });
      log.error({ model: model.name, path: model.path, reason }, "a model cannot be loaded");
      // What may pass is tried again, so the latest version may serve after all.
      const isPermanent = served.status().state === "failed";
      if (isStrict || !isPermanent || !(await this.#startOlder(served, reason))) throw error;
    }
  }

  /** A model that is loaded by its first request turned out to be one that cannot be. */
  async lost(model: ModelFile, reason: string): Promise<void> {
    const served = this.#served.get(model.name);
    this.#options.events.add(`cannot be loaded: ${reason}`, { model: model.name });
    if (served?.model === model) await this.#startOlder(served, reason);
  }

  /** Serves the latest version that can be loaded in place of one that cannot; resolves with whether there is one. */
  async #startOlder(served: ServedModel, reason: string): Promise<boolean> {
    const { repository, events, log } = this.#options;
    const latest = served.model;
    const { name, version } = latest;
    let older = repository.before?.(latest);
    for (; older !== undefined && !this.#closing.signal.aborted; older = repository.before?.(older)) {
      const runner = await this.#opened(older).catch(() => undefined);
      if (runner === undefined) continue;
      // Somebody may have loaded or unloaded the model meanwhile.
      if (this.#served.get(name) !== served || served.model !== latest) {
        await runner.close();
        return true;
      }
      const why = `version ${version} cannot be loaded: ${reason}`;
      this.#reasons.set(name, why);
      events.add(`version ${older.version} serves, because ${why}`, { model: name });
      log.warn({ model: name, version: older.version, reason: why }, "an older version of a model serves");
      await this.#stop(served.replace(runner, why), older.version);
      return true;
    }
    return false;
  }

  #addFailed(model: ModelFile, reason: string): void {
    const { events, observers, log } = this.#options;
    this.#served.set(model.name, new ServedModel(failedModel(model, reason), observers));
    events.add(`cannot be loaded: ${reason}`, { model: model.name });
    log.error({ model: model.name, reason }, "a model cannot be loaded");
  }

  /** Every model of the repository and every one that is served, by name. */
  index(): IndexEntry[] {
    const names = new Set([...this.#options.repository.names(), ...this.#served.keys()]);
    return [...names].sort().map((name) => this.#entryOf(name));
  }

  /**
   * Load a model, or load it anew: the one that `prepare` makes, or what the repository now has. Throws a ProtocolError:
   * 404 when there is no such model, 400 when it cannot be loaded; the served version then goes on.
   */
  load(name: string, prepare?: () => Promise<Candidate>): Promise<void> {
    const fromRepository = async (): Promise<Candidate> => ({ model: this.#options.repository.read(name) });
    return this.#inTurn(name, () => this.#load(name, prepare ?? fromRepository));
  }

  /** Stop serving a model once it has finished what it accepted. Throws a ProtocolError with 404 when it is not served. */
  unload(name: string, reason: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const served = this.#served.get(name);
      if (served === undefined) throw new ProtocolError(`model ${showValue(name)} is not loaded`, 404);
      this.#served.delete(name);
      this.#unloading.add(name);
      this.#reasons.set(name, reason);
      await this.#stop(served);
      this.#unloading.delete(name);
      this.#options.events.add(`version ${served.model.version} ${reason}`, { model: name });
    });
  }

  /** Names of the models that serve the files of another. */
  dependentsOf(name: string): string[] {
    const models = [...this.#served.values()].map(({ model }) => model);
    return models.filter(({ config }) => config?.base === name).map((model) => model.name);
  }

  /** Say from now on that nothing is ready, and still serve. */
  retire(): void {
    for (const served of this.#served.values()) served.retire();
  }

  /** Finish what was accepted, then stop every model. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#opening].map((runner) => runner.close()));
    await Promise.allSettled(this.#turns.values());
    const all = [...this.#served.values()];
    // Pipelines first, because they need the other models to finish.
    const pipelines = all.filter(({ model }) => model.config?.pipeline !== undefined);
    await Promise.all(pipelines.map((served) => served.close()));
    await Promise.all(all.map((served) => served.close()));
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
    this.#options.events.add(`version ${next.model.version} loaded`, { model: name });
    this.#reasons.delete(name);
    if (served === undefined) this.#served.set(name, new ServedModel(next, this.#options.observers));
    else await this.#stop(served.replace(next), next.model.version);
    await candidate.taken?.();
  }

  /** A runner that can answer. */
  async #opened(model: ModelFile): Promise<ModelRunner> {
    if (model.config?.disabled === true) throw new Error("it is disabled in its config.yaml");
    const runner = this.#options.open(model);
    const done = new AbortController();
    this.#opening.add(runner);
    try {
      await Promise.race([runner.ready(), this.#closed(done.signal)]);
      return runner;
    } catch (error) {
      await runner.close();
      throw error;
    } finally {
      this.#opening.delete(runner);
      done.abort();
    }
  }

  /** Rejects when the server closes, since a model that is loading then may never become ready or fail. */
  async #closed(done: AbortSignal): Promise<never> {
    await once(this.#closing.signal, "abort", { signal: done });
    throw new Error("the server is shutting down");
  }

  #refusal(name: string, error: Error & { status?: number }, served: ServedModel | undefined): ProtocolError {
    const stillServed = served?.isReady === true ? `; version ${served.model.version} goes on serving` : "";
    const text = `model ${showValue(name)} cannot be loaded: ${error.message}${stillServed}`;
    this.#options.events.add(text, { model: name });
    this.#reasons.set(name, error.message);
    return new ProtocolError(text, error.status === 404 ? 404 : 400);
  }

  async #stop(runner: ModelRunner, nextVersion?: string): Promise<void> {
    await runner.close();
    if (runner.model.version === nextVersion) return;
    for (const observer of this.#options.observers) observer.onUnloaded?.(runner.model);
  }

  /** Make a change when the one before of the same name has ended. */
  #inTurn<T>(name: string, change: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(() => {
      if (this.#closing.signal.aborted) throw new ProtocolError("the server is shutting down", 503);
      return change();
    });
    const ended = turn.catch(() => {});
    this.#turns.set(name, ended);
    void ended.then(() => this.#turns.get(name) === ended && this.#turns.delete(name));
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
    // The reason of a version that serves says why a later one does not.
    const ofVersion = version === "" ? { name } : { name, version };
    const onDemand = served.isOnDemand ? { on_demand: true as const } : {};
    if (served.isReady) return { ...ofVersion, state: "READY", reason: reason ?? "", ...onDemand };
    const { state, lastError = "" } = served.status();
    const isLoading = state === "loading" && lastError === "";
    return { ...ofVersion, state: isLoading ? "LOADING" : "UNAVAILABLE", reason: reason ?? lastError };
  }

  #whyNotServed(name: string): string {
    try {
      return this.#options.repository.read(name).config?.disabled === true ? "disabled" : "not loaded";
    } catch (error) {
      return (error as Error).message;
    }
  }
}
