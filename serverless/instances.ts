/**
 * The instances of all functions of one host: which one takes a call, when a new one is started, and when one
 * goes. An instance runs one call at a time.
 */
import type { Call } from "./call.ts";
import { newInstanceId, type FcErrorCode, type FunctionConfig } from "./fc-contract.ts";
import type { InstanceLimits } from "./instance-limits.ts";
import { Instance, type InvokeEnd, type Log } from "./instance.ts";

export interface InstancesOptions {
  readonly functions: readonly FunctionConfig[];
  /** Most processes at a time, over all functions. */
  readonly maxInstances: number;
  /** Time without a call after which an instance is stopped; starts when its last call ends. */
  readonly idleMs: number;
  readonly limits: InstanceLimits;
  readonly log: Log;
}

export type InstanceState = "starting" | "idle" | "busy" | "stopping";

export interface InstanceView {
  readonly function: string;
  readonly id: string;
  /** Null until the process is ready. */
  readonly pid: number | null;
  readonly state: InstanceState;
}

/** How a call ended: on an instance (0 ms of cold start when it was warm), or before it had one. */
export type CallEnd =
  | {
      readonly ran: true;
      readonly instanceId: string;
      readonly coldStartMs: number;
      /** Part of the cold start. */
      readonly initializeMs: number;
      readonly invoke: InvokeEnd;
    }
  | { readonly ran: false; readonly code: FcErrorCode; readonly message: string };

interface Slot {
  readonly id: string;
  readonly config: FunctionConfig;
  state: InstanceState;
  instance: Instance | undefined;
  /** Number of the last call; orders the slots by when they were used. */
  lastCall: number;
  idleTimer: NodeJS.Timeout | undefined;
  gone: Promise<void> | undefined;
}

export class Instances {
  readonly #options: InstancesOptions;
  readonly #configs: Map<string, FunctionConfig>;
  readonly #slots = new Set<Slot>();
  /** The calls under way, each with the function as it was when the call came. */
  readonly #running = new Map<Promise<CallEnd>, FunctionConfig>();
  readonly #takenPorts = new Set<number>();
  #calls = 0;
  #closed: Promise<void> | undefined;

  constructor(options: InstancesOptions) {
    this.#options = options;
    this.#configs = new Map(options.functions.map((config) => [config.name, config]));
  }

  /** Run one call on the warm instance used last, or on a new one; refuse it when there is no room for one. */
  async call(name: string, call: Call): Promise<CallEnd> {
    if (this.#closed !== undefined) return refused("ServiceUnavailable", "the function host is closing");
    const config = this.#configs.get(name);
    if (config === undefined) return refused("FunctionNotFound", `function ${name} does not exist`);
    const run = this.#run(config, call);
    this.#running.set(run, config);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  /**
   * Take on a function, or put it in place of the one of that name: calls from now on run on new instances, those
   * under way end on the old ones. Fulfilled when the old ones are gone.
   */
  define(config: FunctionConfig): Promise<void> {
    const old = this.#configs.get(config.name);
    this.#configs.set(config.name, config);
    return this.#retire(old);
  }

  /** Take a function away: new calls are refused. Calls under way end; fulfilled when its instances are gone. */
  remove(name: string): Promise<void> {
    const old = this.#configs.get(name);
    this.#configs.delete(name);
    return this.#retire(old);
  }

  list(): InstanceView[] {
    return Array.from(this.#slots, ({ config, id, instance, state }) => {
      return { function: config.name, id, pid: instance?.pid ?? null, state };
    });
  }

  /** Refuse new calls, let the running ones end, then stop every instance. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#running.keys());
    await Promise.all(Array.from(this.#slots, (slot) => this.#remove(slot)));
  }

  async #retire(config: FunctionConfig | undefined): Promise<void> {
    const remove = (slot: Slot): Promise<void> => this.#remove(slot);
    const own = Array.from(this.#slots).filter((slot) => slot.config === config);
    const idle = own.filter(({ state }) => state === "idle").map(remove);
    const calls = Array.from(this.#running).flatMap(([run, of]) => (of === config ? [run] : []));
    await Promise.allSettled([...idle, ...calls]);
    await Promise.all(own.map(remove));
  }

  async #run(config: FunctionConfig, call: Call): Promise<CallEnd> {
    const arrivedAtMs = performance.now();
    let slot = this.#lastUsedIdle(config);
    let [coldStartMs, initializeMs] = [0, 0];
    if (slot === undefined) {
      const room = this.#makeRoom();
      if (room === undefined) {
        return refused("ResourceExhausted", `all ${this.#options.maxInstances} instances are in use`);
      }
      slot = this.#newSlot(config);
      try {
        await room;
        const start = await Instance.start(config, {
          ...this.#options,
          id: slot.id,
          takenPorts: this.#takenPorts,
        });
        if (!start.started) return refused(start.code, start.message);
        slot.instance = start.instance;
        this.#removeOnExit(slot, start.instance);
        initializeMs = start.initializeMs;
        coldStartMs = performance.now() - arrivedAtMs;
      } finally {
        if (slot.instance === undefined) this.#slots.delete(slot);
      }
    }
    return await this.#invoke(slot, call, { coldStartMs, initializeMs });
  }

  async #invoke(
    slot: Slot,
    call: Call,
    start: { coldStartMs: number; initializeMs: number },
  ): Promise<CallEnd> {
    const { instance } = slot;
    if (instance === undefined) throw new Error(`instance ${slot.id} has not started`);
    clearTimeout(slot.idleTimer);
    slot.state = "busy";
    slot.lastCall = this.#calls += 1;
    const invoke = await instance.invoke(call);
    if (invoke.end === "replied" && instance.alive) {
      slot.state = "idle";
      slot.idleTimer = setTimeout(() => void this.#remove(slot), this.#options.idleMs).unref();
    } else {
      // ASSUMED for a timeout: the function may still be at work on the call, so its instance is not used again.
      void instance.kill();
      void this.#remove(slot);
    }
    return { ran: true, instanceId: slot.id, ...start, invoke };
  }

  #newSlot(config: FunctionConfig): Slot {
    const slot: Slot = {
      id: newInstanceId(),
      config,
      state: "starting",
      instance: undefined,
      lastCall: 0,
      idleTimer: undefined,
      gone: undefined,
    };
    this.#slots.add(slot);
    return slot;
  }

  #lastUsedIdle(config: FunctionConfig): Slot | undefined {
    let best: Slot | undefined;
    for (const slot of this.#slots) {
      const usable = slot.state === "idle" && slot.config === config && slot.instance?.alive === true;
      if (usable && slot.lastCall > (best?.lastCall ?? -1)) best = slot;
    }
    return best;
  }

  /**
   * Room for one more process: fulfilled when it is there, undefined when all are busy. A process that is
   * going makes room when it is gone; else the one idle for longest, of another function, has to go.
   */
  #makeRoom(): Promise<void> | undefined {
    if (this.#slots.size < this.#options.maxInstances) return Promise.resolve();
    let leaving: Slot | undefined;
    for (const slot of this.#slots) {
      if (slot.state === "stopping") {
        leaving = slot;
        break;
      }
      if (slot.state === "idle" && slot.lastCall < (leaving?.lastCall ?? Infinity)) leaving = slot;
    }
    if (leaving === undefined) return undefined;
    const gone = this.#remove(leaving);
    this.#slots.delete(leaving);
    return gone;
  }

  #removeOnExit(slot: Slot, instance: Instance): void {
    void instance.exited.then((how) => {
      if (slot.state !== "idle") return;
      this.#options.log.warn(
        { function: slot.config.name, instance: slot.id },
        `idle instance exited: ${how}`,
      );
      return this.#remove(slot);
    });
  }

  /** Never rejects: nobody waits for most instances that go. */
  #remove(slot: Slot): Promise<void> {
    slot.state = "stopping";
    clearTimeout(slot.idleTimer);
    slot.gone ??= (slot.instance?.stop() ?? Promise.resolve())
      .catch((error: unknown) => {
        this.#options.log.error({ err: error, instance: slot.id }, "an instance could not be stopped");
      })
      .finally(() => this.#slots.delete(slot));
    return slot.gone;
  }
}

function refused(code: FcErrorCode, message: string): CallEnd {
  return { ran: false, code, message };
}
