/**
 * The instances of all functions of one host as processes: what the scaling rules decide is done here. Calls
 * that run end on the instance they are on, whatever happens to their function.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Call } from "../calls/call.ts";
import type { MakeCgroup } from "./cgroup-probe.ts";
import type { FcErrorCode, FunctionConfig } from "../fc-contract.ts";
import type { InstanceLimits } from "./instance-limits.ts";
import { InstanceSlot, type InstanceView } from "./instance-slot.ts";
import { Instance, type InvokeEnd, type StartEnd } from "./instance.ts";
import type { Log } from "../log.ts";
import type { Meter } from "../calls/meter.ts";
import { Scaling, type Placement, type ScalingRules } from "./scaling.ts";

export interface InstancesOptions {
  readonly functions: readonly FunctionConfig[];
  readonly scaling: ScalingRules;
  /** Draws what is added to the start of a process, in milliseconds. */
  readonly coldStartMs: () => number;
  /** Makes the group that holds a process to its function's size; undefined: nothing does. */
  readonly makeCgroup?: MakeCgroup;
  readonly limits: InstanceLimits;
  readonly meter: Meter;
  readonly log: Log;
}

/** How a call ended: on an instance (0 ms of cold start when it was warm), or before it had one. */
export type CallEnd =
  | {
      readonly ran: true;
      readonly instanceId: string;
      /** How long the call waited for its instance to start. */
      readonly coldStartMs: number;
      readonly invoke: InvokeEnd;
    }
  | { readonly ran: false; readonly code: FcErrorCode; readonly message: string };

const LIMIT_MESSAGES = {
  instances: "all instances that may exist are in use",
  growth: "no more instances may start so soon",
};

export class Instances {
  readonly #options: InstancesOptions;
  readonly #scaling: Scaling;
  readonly #configs = new Map<string, FunctionConfig>();
  readonly #slots = new Map<number, InstanceSlot>();
  readonly #running = new Set<Promise<CallEnd>>();
  readonly #takenPorts = new Set<number>();
  #reclaimTimer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: InstancesOptions) {
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

  /** Take a function away, if it is there: new calls are refused. Fulfilled when its instances are gone. */
  async remove(name: string): Promise<void> {
    this.#configs.delete(name);
    const old = Array.from(this.#slots.values()).filter(({ config }) => config.name === name);
    this.#stopAll(this.#scaling.retireAll(name));
    await Promise.all(old.map(({ gone }) => gone));
    if (!this.#configs.has(name)) this.#options.meter.remove(name);
  }

  /** Run one call on an instance with room, or on a new one; refuse it when none may start. */
  async call(
    name: string,
    requestId: string,
    body: Uint8Array,
    more: Partial<Omit<Call, "requestId" | "body">> = {},
  ): Promise<CallEnd> {
    const config = this.#configs.get(name);
    if (config === undefined) return refused("FunctionNotFound", `function ${name} does not exist`);
    if (this.#closed !== undefined) {
      this.#options.meter.refused(name);
      return refused("ServiceUnavailable", "the function host is closing");
    }
    const run = this.#run(config, { wantsLog: false, ...more, requestId, body });
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  list(): InstanceView[] {
    return Array.from(this.#slots.values(), ({ view }) => view);
  }

  /** Refuse new calls, let the running ones end, then stop every instance. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#running);
    clearTimeout(this.#reclaimTimer);
    await Promise.all(Array.from(this.#slots.values(), (slot) => this.#stop(slot)));
  }

  async #run(config: FunctionConfig, call: Call): Promise<CallEnd> {
    const arrivedAtMs = performance.now();
    const { meter } = this.#options;
    const placement = this.#scaling.place(config.name, config.instanceConcurrency ?? 1, arrivedAtMs);
    if (placement.to === "none") {
      meter.refused(config.name);
      return refused("ResourceExhausted", LIMIT_MESSAGES[placement.limit]);
    }
    const slot =
      placement.to === "new" ? this.#newSlot(config, placement, arrivedAtMs) : this.#slot(placement.instance);
    const warm = slot.ready;
    slot.calls += 1;
    try {
      const start = await slot.start;
      if (!start.started) {
        meter.failedToStart(config.name);
        return refused(start.code, start.message);
      }
      const coldStartMs = warm ? 0 : performance.now() - arrivedAtMs;
      const invoke = await start.instance.invoke(call);
      // ASSUMED for a timeout: the function may still be at work on the call, so its instance gets no new ones.
      if (invoke.end !== "replied") slot.broken = true;
      if (slot.broken || !start.instance.alive) this.#scaling.retire(slot.number);
      return { ran: true, instanceId: slot.id, coldStartMs, invoke };
    } finally {
      slot.calls -= 1;
      if (this.#scaling.ended(slot.number, performance.now())) void this.#stop(slot);
      this.#reclaimLater();
    }
  }

  #newSlot(config: FunctionConfig, placed: Placement & { to: "new" }, askedAtMs: number): InstanceSlot {
    const { instance: number, after } = placed;
    const room = after === undefined ? Promise.resolve() : this.#stop(this.#slot(after));
    const start = async (id: string): Promise<StartEnd> => {
      await room;
      await delay(this.#options.coldStartMs());
      return Instance.start(config, { ...this.#options, id, askedAtMs, takenPorts: this.#takenPorts });
    };
    const slot = new InstanceSlot(config, number, this.#options.log, start);
    this.#slots.set(number, slot);
    void slot.start.then(
      (end) => (end.started ? this.#ready(slot, end.instance) : this.#scaling.retire(number)),
      () => this.#scaling.retire(number),
    );
    return slot;
  }

  #ready(slot: InstanceSlot, instance: Instance): void {
    this.#scaling.started(slot.number);
    void instance.exited.then((how) => {
      // With calls on it, the end of the last one makes it go.
      if (!this.#scaling.retire(slot.number)) return;
      const { config, id } = slot;
      this.#options.log.warn({ function: config.name, instance: id }, `idle instance exited: ${how}`);
      return this.#stop(slot);
    });
  }

  /** One timer for whatever is idle for long enough first. */
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

  #stopAll(instances: readonly number[]): void {
    for (const instance of instances) void this.#stop(this.#slot(instance));
  }

  /** Never rejects: nobody waits for most instances that go. */
  async #stop(slot: InstanceSlot): Promise<void> {
    await slot.stop();
    this.#slots.delete(slot.number);
    this.#scaling.gone(slot.number);
  }

  #slot(instance: number): InstanceSlot {
    const slot = this.#slots.get(instance);
    if (slot === undefined) throw new RangeError(`no instance ${instance}`);
    return slot;
  }
}

function refused(code: FcErrorCode, message: string): CallEnd {
  return { ran: false, code, message };
}
