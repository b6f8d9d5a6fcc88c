/** The functions of a host, started with it or deployed to it: defines them in the instance pool, keeps their code. */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { FunctionConfig } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { InstancePool } from "../instances/instance-pool.ts";
import { CodeFolders, type CodePackage } from "./code-folders.ts";
import { functionConfigOf, functionSettingsOf } from "./function-config.ts";
import { readCreate, readUpdate, type FunctionSettings } from "./function-settings.ts";
import { newTrigger, type HttpTrigger } from "./http-trigger.ts";

export interface StoredFunction {
  readonly id: string;
  readonly settings: FunctionSettings;
  readonly config: FunctionConfig;
  /** Undefined for a function that the host was started with. */
  readonly code?: CodePackage | undefined;
  readonly trigger?: HttpTrigger | undefined;
  readonly createdAtUnixMs: number;
  readonly modifiedAtUnixMs: number;
}

export interface FunctionStoreOptions {
  readonly functions: readonly FunctionConfig[];
  readonly pool: Pick<InstancePool, "define" | "remove">;
  readonly nowUnixMs: () => number;
  readonly log: Logger;
}

/** Each may take a gigabyte of this machine's disk. */
const maxFunctions = 50;

export class FunctionStore {
  readonly #options: FunctionStoreOptions;
  readonly #functions = new Map<string, StoredFunction>();
  readonly #folders: CodeFolders;
  /** Retirements of old instances and their code that still go on. None rejects. */
  readonly #retirements = new Set<Promise<void>>();
  /** The last change; changes are made one after another. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: FunctionStoreOptions) {
    this.#options = options;
    this.#folders = new CodeFolders(options.log);
    for (const config of options.functions) {
      const { name, triggerAuth } = config;
      const trigger = triggerAuth && newTrigger({ authType: triggerAuth }, options.nowUnixMs());
      this.#functions.set(name, this.#stored({ settings: functionSettingsOf(config), config, trigger }));
    }
  }

  /** `qualifier` is a version or alias. Throws an FcRefusal FunctionNotFound, VersionNotFound or AliasNotFound. */
  get(name: string, qualifier = "LATEST"): StoredFunction {
    const stored = this.#functions.get(name);
    if (stored === undefined) throw new FcRefusal("FunctionNotFound", `function ${name} does not exist`);
    if (qualifier === "LATEST") return stored;
    const code = /^\d+$/.test(qualifier) ? "VersionNotFound" : "AliasNotFound";
    throw new FcRefusal(code, `function ${name} has no ${qualifier}; the local host has LATEST only`);
  }

  /** Up to `limit` functions in the order of their names, after the name `after`. */
  list(prefix: string, after: string, limit: number): StoredFunction[] {
    return [...this.#functions.values()]
      .filter(({ config: { name } }) => name.startsWith(prefix) && name > after)
      .toSorted((a, b) => (a.config.name < b.config.name ? -1 : 1))
      .slice(0, limit);
  }

  /** @param body CreateFunctionInput as JSON */
  create(body: Uint8Array): Promise<StoredFunction> {
    return this.#inTurn(async () => {
      const { settings, code } = readCreate(body);
      const name = settings.functionName;
      if (this.#functions.has(name))
        throw new FcRefusal("FunctionAlreadyExists", `function ${name} exists already; update it`);
      if (this.#functions.size >= maxFunctions)
        throw new FcRefusal("ResourceExhausted", `${maxFunctions} functions exist; allowed: ${maxFunctions}`);
      const unpacked = await this.#folders.unpack(name, code);
      const config = functionConfigOf(settings, unpacked.folder);
      return this.#define(this.#stored({ settings, config, code: unpacked }));
    });
  }

  /** By UpdateFunctionInput as JSON. Running calls end on the instances that they have. */
  update(name: string, body: Uint8Array): Promise<StoredFunction> {
    return this.#inTurn(async () => {
      const old = this.get(name);
      const { settings, code } = readUpdate(body, old.settings);
      const unpacked = code === undefined ? undefined : await this.#folders.unpack(name, code);
      const config = functionConfigOf(settings, unpacked?.folder ?? old.config.folder);
      const modifiedAtUnixMs = this.#options.nowUnixMs();
      const stored = { ...old, settings, config, code: unpacked ?? old.code, modifiedAtUnixMs };
      return this.#define(stored, unpacked && old.code);
    });
  }

  delete(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const { code } = this.get(name);
      this.#functions.delete(name);
      this.#retire(this.#options.pool.remove(name), code);
    });
  }

  /** Give a function another HTTP trigger, or none. */
  setTrigger(name: string, trigger: HttpTrigger | undefined): void {
    this.#functions.set(name, { ...this.get(name), trigger });
  }

  /** Give the present instances of a function, or of all functions, no more calls. */
  retireInstances(name?: string): void {
    for (const { config } of name === undefined ? this.#functions.values() : [this.get(name)]) {
      this.#retire(this.#options.pool.define({ ...config }), undefined);
    }
  }

  /** Remove all code. To be called when every instance is gone. */
  async close(): Promise<void> {
    await this.#lastChange;
    await Promise.all(this.#retirements);
    await this.#folders.removeAll();
  }

  #stored(parts: Omit<StoredFunction, "id" | "createdAtUnixMs" | "modifiedAtUnixMs">): StoredFunction {
    const nowUnixMs = this.#options.nowUnixMs();
    return { id: randomUUID(), ...parts, createdAtUnixMs: nowUnixMs, modifiedAtUnixMs: nowUnixMs };
  }

  #define(stored: StoredFunction, oldCode?: CodePackage): StoredFunction {
    this.#functions.set(stored.config.name, stored);
    this.#retire(this.#options.pool.define(stored.config), oldCode);
    return stored;
  }

  /** @param code is removed once the instances are gone; undefined for the folder of a function that was not deployed */
  #retire(instancesGone: Promise<void>, code: CodePackage | undefined): void {
    const retirement = instancesGone.then(() => code && this.#folders.remove(code.folder));
    this.#retirements.add(retirement);
    void retirement.then(() => this.#retirements.delete(retirement));
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#lastChange.then(change);
    this.#lastChange = done.catch(() => undefined);
    return done;
  }
}
