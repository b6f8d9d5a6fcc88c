/**
 * The instances of all functions of one host. It does what the scaling rules decide, with real processes. A call ends on
 * the instance that it began on, even when its function is replaced or deleted meanwhile.
 */
import type { FunctionConfig } from "../fc-contract.ts";
import { FcRefusal } from "../fc-refusal.ts";
import type { InjectedFaults } from "../injected-faults.ts";
import type { InstanceCall } from "./function-server.ts";
import { Instance, type InstanceOptions, type InstanceView, type InvokeEnd } from "./instance.ts";
import { Scaling, type InstancePlacement, type ScalingRules } from "./scaling.ts";

export interface InstancePoolOptions extends Omit<InstanceOptions, "takenPorts"> {
  readonly functions: readonly FunctionConfig[];
  readonly faults: InjectedFaults;
  readonly scaling: ScalingRules;
}

/** A call that reached an instance, and how it ended there. */
export interface CallEnd {
  readonly instanceId: string;
  /** How long the call waited for its instance to start; 0 when the instance was warm. */
  readonly coldStartMs: number;
  readonly invoke: InvokeEnd;
}

const limitMessages = {
  instances: "all instances that may exist are in use",
  growth: "no more instances may start so soon",
};

export class InstancePool {
  readonly #options: InstancePoolOptions;
  readonly #scaling: Scaling;
  readonly #configs = new Map<string, FunctionConfig>();
  readonly #instances = new Map<number, Instance>();
  readonly #running = new Set<Promise<CallEnd>>();
  readonly #takenPorts = new Set<number>();
  #reclaimTimer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: InstancePoolOptions) {
    this.#options = options;
    this.#scaling = new Scaling(options.scaling);
    for (const config of options.functions) void this.define(config);
  }

  /** Add a function, or replace the one of its name. Fulfilled when the instances of the old one are gone. */
  define(config: FunctionConfig): Promise<void> {
    const gone = this.remove(config.name);
    this.#configs.set(config.name, config);
    this.#options.meter.add(config.name);
    return gone;
  }

  /** Remove a function; new calls of it are refused. Fulfilled when its instances are gone. */
  async remove(name: string): Promise<void> {
    this.#configs.delete(name);
    const old = Array.from(this.#instances.values()).filter(({ config }) => config.name === name);
    this.#stopAll(this.#scaling.retireAll(name));
    await Promise.all(old.map(({ gone }) => gone));
    if (!this.#configs.has(name)) this.#options.meter.remove(name);
  }

  /** Run one call on an instance with room, or on a new one. Throws an FcRefusal when it gets no instance. */
  async call(name: string, call: Omit<InstanceCall, "fault">): Promise<CallEnd> {
    const { meter, faults } = this.#options;
    const config = this.#configs.get(name);
    if (config === undefined) throw new FcRefusal("FunctionNotFound", `function ${name} does not exist`);
    if (this.#closed !== undefined) {
      meter.refused(name);
      throw new FcRefusal("ServiceUnavailable", "the function host is closing");
    }
    const drawn = faults.draw(name);
    if (drawn.throttled) {
      meter.refused(name);
      throw new FcRefusal("ResourceExhausted", "throttled by an injected fault");
    }
    // Defining the function again retires its warm instances.
    if (drawn.cold) void this.define({ ...config });
    const run = this.#run(config, { ...call, fault: drawn.call });
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  list(): InstanceView[] {
    return Array.from(this.#instances.values(), ({ view }) => view);
  }

  /** Refuse new calls, let the running ones end, then stop every instance. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#running);
    clearTimeout(this.#reclaimTimer);
    await Promise.all(Array.from(this.#instances.values(), (instance) => this.#stop(instance)));
  }

  async #run(config: FunctionConfig, call: InstanceCall): Promise<CallEnd> {
    const arrivedAtMs = performance.now();
    const { meter } = this.#options;
    const placement = this.#scaling.place(config.name, config.instanceConcurrency ?? 1, arrivedAtMs);
    if (placement.to === "none") {
      meter.refused(config.name);
      throw new FcRefusal("ResourceExhausted", limitMessages[placement.limit]);
    }
    const instance =
      placement.to === "new" ? this.#newInstance(config, placement) : this.#instance(placement.instance);
    const isWarm = instance.isReady;
    instance.calls += 1;
    try {
      const failure = await instance.started;
      if (failure !== undefined) {
        meter.failedToStart(config.name);
        throw failure;
      }
      const coldStartMs = isWarm ? 0 : performance.now() - arrivedAtMs;
      const invoke = await instance.invoke(call);
      // ASSUMED: after a timeout the function may still work on the call, so its instance gets no new ones.
      if (invoke.end !== "replied") instance.isBroken = true;
      if (instance.isBroken || !instance.isAlive) this.#scaling.retire(instance.number);
      return { instanceId: instance.id, coldStartMs, invoke };
    } finally {
      instance.calls -= 1;
      if (this.#scaling.ended(instance.number, performance.now())) void this.#stop(instance);
      this.#reclaimLater();
    }
  }

  #newInstance(config: FunctionConfig, placement: InstancePlacement & { to: "new" }): Instance {
    const { instance: number, after } = placement;
    const room = after === undefined ? Promise.resolve() : this.#stop(this.#instance(after));
    const instance = new Instance(config, number, { ...this.#options, takenPorts: this.#takenPorts }, room);
    this.#instances.set(number, instance);
    void instance.started.then(
      (failure) => (failure === undefined ? this.#ready(instance) : this.#scaling.retire(number)),
      () => this.#scaling.retire(number),
    );
    return instance;
  }

  #ready(instance: Instance): void {
    this.#scaling.started(instance.number);
    void instance.exited.then((how) => {
      // If calls run on it, the end of the last one stops it.
      if (!this.#scaling.retire(instance.number)) return;
      const { config, id } = instance;
      this.#options.log.warn({ function: config.name, instance: id }, `idle instance exited: ${how}`);
      return this.#stop(instance);
    });
  }

  /** Set the one timer for the next instance that will have been idle for too long. */
  #reclaimLater(): void {
    clearTimeout(this.#reclaimTimer);
    const atMs = this.#scaling.nextReclaimAtMs;
    if (atMs === undefined) return;
    const reclaim = (): void => {
      this.#stopAll(this.#scaling.reclaim(performance.now()));
      this.#reclaimLater();
    };
    this.#reclaimTimer = setTimeout(reclaim, Math.max(1, atMs - performance.now())).unref();
  }

  #stopAll(numbers: readonly number[]): void {
    for (const number of numbers) void this.#stop(this.#instance(number));
  }

  /** Never rejects, since most callers do not wait for it. */
  async #stop(instance: Instance): Promise<void> {
    await instance.stop();
    this.#instances.delete(instance.number);
    this.#scaling.gone(instance.number);
  }

  #instance(number: number): Instance {
    const instance = this.#instances.get(number);
    if (instance === undefined) throw new RangeError(`no instance ${number}`);
    return instance;
  }
}
