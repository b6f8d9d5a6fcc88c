/**
 * The functions of a host: those it was started with, and those that were deployed to it. What is defined here is what
 * the instances run; code lives in a folder of the host's own, which goes with the host.
 */
import { randomUUID } from "node:crypto";
import { defaultAsyncRules, type AsyncRules } from "../calls/async-calls.ts";
import type { FunctionConfig } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { Log } from "../log.ts";
import type { Instances } from "../instances/instances.ts";
import { CodeFolders } from "./code-folders.ts";
import { unpackCode, type CodePackage } from "./code-package.ts";
import { functionConfigOf, functionSettingsOf } from "./function-config-of.ts";
import { newTrigger, type HttpTrigger } from "./http-trigger.ts";
import { readCreate, readUpdate, type CodeInput, type FunctionSettings } from "./function-settings.ts";

export interface StoredFunction {
  readonly id: string;
  readonly settings: FunctionSettings;
  readonly config: FunctionConfig;
  /** Undefined for a function that came with the host. */
  readonly code: CodePackage | undefined;
  readonly trigger: HttpTrigger | undefined;
  readonly asyncRules: AsyncRules;
  readonly createdAtUnixMs: number;
  readonly modifiedAtUnixMs: number;
}

export interface FunctionStoreOptions {
  readonly functions: readonly FunctionConfig[];
  readonly instances: Pick<Instances, "define" | "remove">;
  readonly nowUnixMs: () => number;
  readonly log: Log;
}

/** Each may have a gigabyte on this machine's disk. */
const mostFunctions = 50;

export class FunctionStore {
  readonly #options: FunctionStoreOptions;
  readonly #functions = new Map<string, StoredFunction>();
  readonly #folders: CodeFolders;
  /** Old instances that still end their calls, and the folders that go after them. None rejects. */
  readonly #leaving = new Set<Promise<void>>();
  /** The last change: they are made one after the other. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: FunctionStoreOptions) {
    this.#options = options;
    this.#folders = new CodeFolders(options.log);
    const nowUnixMs = options.nowUnixMs();
    for (const config of options.functions) {
      this.#functions.set(config.name, {
        id: randomUUID(),
        settings: functionSettingsOf(config),
        config,
        code: undefined,
        trigger: config.triggerAuth && newTrigger({ authType: config.triggerAuth }, nowUnixMs),
        asyncRules: defaultAsyncRules,
        createdAtUnixMs: nowUnixMs,
        modifiedAtUnixMs: nowUnixMs,
      });
    }
  }

  /**
   * @param qualifier a version or alias; here there is LATEST only
   * @throws FcRefusal FunctionNotFound, VersionNotFound, AliasNotFound
   */
  get(name: string, qualifier = "LATEST"): StoredFunction {
    const stored = this.#functions.get(name);
    if (stored === undefined) throw new FcRefusal("FunctionNotFound", `function ${name} does not exist`);
    if (qualifier === "LATEST") return stored;
    const code = /^\d+$/.test(qualifier) ? "VersionNotFound" : "AliasNotFound";
    throw new FcRefusal(code, `function ${name} has no ${qualifier}; the local host has LATEST only`);
  }

  /** Up to `limit` functions by name, from the one after `after`. */
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
      if (this.#functions.size >= mostFunctions)
        throw new FcRefusal(
          "ResourceExhausted",
          `${mostFunctions} functions exist, the most that the host takes`,
        );
      const nowUnixMs = this.#options.nowUnixMs();
      const unpacked = await this.#unpack(name, code);
      const config = functionConfigOf(settings, unpacked.folder);
      const times = { createdAtUnixMs: nowUnixMs, modifiedAtUnixMs: nowUnixMs };
      const fresh = { id: randomUUID(), trigger: undefined, asyncRules: defaultAsyncRules, ...times };
      return this.#define({ ...fresh, settings, config, code: unpacked });
    });
  }

  /**
   * Calls that are under way end on the instances that they have.
   *
   * @param body UpdateFunctionInput as JSON
   */
  update(name: string, body: Uint8Array): Promise<StoredFunction> {
    return this.#inTurn(async () => {
      const old = this.get(name);
      const { settings, code } = readUpdate(body, old.settings);
      const unpacked = code === undefined ? undefined : await this.#unpack(name, code);
      const { gpu, folder } = old.config;
      const config = { ...functionConfigOf(settings, unpacked?.folder ?? folder), ...(gpu && { gpu }) };
      const modifiedAtUnixMs = this.#options.nowUnixMs();
      const stored = { ...old, settings, config, code: unpacked ?? old.code, modifiedAtUnixMs };
      return this.#define(stored, unpacked && old.code);
    });
  }

  delete(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const { code } = this.get(name);
      this.#functions.delete(name);
      this.#leave(this.#options.instances.remove(name), code);
    });
  }

  /** Give a function another HTTP trigger, or none, or other rules for asynchronous calls. */
  change(name: string, change: Partial<Pick<StoredFunction, "trigger" | "asyncRules">>): void {
    this.#functions.set(name, { ...this.get(name), ...change });
  }

  /** Let no instance of a function, or of any, that is there now take another call. */
  chill(name?: string): void {
    for (const { config } of name === undefined ? this.#functions.values() : [this.get(name)]) {
      this.#leave(this.#options.instances.define({ ...config }), undefined);
    }
  }

  /** To be called when every instance is gone: takes the code away. */
  async close(): Promise<void> {
    await this.#lastChange;
    await Promise.all(this.#leaving);
    await this.#folders.removeAll();
  }

  #define(stored: StoredFunction, oldCode?: CodePackage): StoredFunction {
    this.#functions.set(stored.config.name, stored);
    this.#leave(this.#options.instances.define(stored.config), oldCode);
    return stored;
  }

  /** @param code goes when the instances are gone; a folder that came with a function stays, as it is not the host's */
  #leave(gone: Promise<void>, code: CodePackage | undefined): void {
    const left = gone.then(() => code && this.#folders.remove(code.folder));
    this.#leaving.add(left);
    void left.then(() => this.#leaving.delete(left));
  }

  async #unpack(name: string, code: CodeInput): Promise<CodePackage> {
    return unpackCode(code, await this.#folders.newPath(name));
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#lastChange.then(change);
    this.#lastChange = done.catch(() => undefined);
    return done;
  }
}
