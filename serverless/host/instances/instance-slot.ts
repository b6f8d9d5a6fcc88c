/** The place of one instance among those of its host, from the decision to start it until its process is gone. */
import { newInstanceId, type FunctionConfig } from "../fc-contract.ts";
import type { Instance, StartEnd } from "./instance.ts";
import type { Log } from "../log.ts";

export type InstanceState = "starting" | "idle" | "busy" | "stopping";

/** An instance as it is shown. */
export interface InstanceView {
  readonly function: string;
  readonly id: string;
  /** Null until the process is ready. */
  readonly pid: number | null;
  readonly state: InstanceState;
  /** Calls that it runs, or that wait for its start. */
  readonly calls: number;
}

export class InstanceSlot {
  readonly id = newInstanceId();
  readonly config: FunctionConfig;
  /** The number by which the scaling rules know the instance. */
  readonly number: number;
  /** Fulfilled when the instance is ready or has failed to start. */
  readonly start: Promise<StartEnd>;
  /** Fulfilled when the instance is gone, whoever made it go. */
  readonly gone: Promise<void>;
  calls = 0;
  /** Whether its process is not to be trusted with an orderly end. */
  broken = false;
  readonly #log: Log;
  #instance: Instance | undefined;
  #stopping = false;
  #left = (): void => undefined;

  constructor(config: FunctionConfig, number: number, log: Log, start: (id: string) => Promise<StartEnd>) {
    this.config = config;
    this.number = number;
    this.#log = log;
    this.gone = new Promise((resolve) => {
      this.#left = resolve;
    });
    this.start = start(this.id).then((end) => {
      if (end.started) this.#instance = end.instance;
      return end;
    });
  }

  get ready(): boolean {
    return this.#instance !== undefined;
  }

  get view(): InstanceView {
    const { config, id, calls } = this;
    return { function: config.name, id, pid: this.#instance?.pid ?? null, state: this.#state, calls };
  }

  /** To be called when nothing runs on the instance. Fulfilled when it is gone; never rejects. */
  async stop(): Promise<void> {
    if (this.#stopping) return this.gone;
    this.#stopping = true;
    try {
      await (this.broken ? this.#instance?.kill() : this.#instance?.stop());
    } catch (error) {
      this.#log.error({ err: error, instance: this.id }, "an instance could not be stopped");
    }
    this.#left();
  }

  get #state(): InstanceState {
    if (this.#stopping) return "stopping";
    if (!this.ready) return "starting";
    return this.calls > 0 ? "busy" : "idle";
  }
}
