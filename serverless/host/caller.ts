/** Runs calls on the instance pool, and lets the injected faults act on them. */
import type { FunctionConfig } from "./fc-contract.ts";
import type { InjectedFaults } from "./injected-faults.ts";
import type { CallEnd, InstancePool } from "./instances/instance-pool.ts";
import type { InstanceCall } from "./instances/function-server.ts";
import type { Meter } from "./meter.ts";

export class Caller {
  readonly #pool: InstancePool;
  readonly #meter: Meter;
  readonly #faults: InjectedFaults;

  constructor(pool: InstancePool, meter: Meter, faults: InjectedFaults) {
    this.#pool = pool;
    this.#meter = meter;
    this.#faults = faults;
  }

  async call(config: FunctionConfig, call: InstanceCall): Promise<CallEnd> {
    const { name } = config;
    const drawn = this.#faults.draw(name);
    if (drawn.throttled) {
      this.#meter.refused(name);
      return { ran: false, code: "ResourceExhausted", message: "throttled by an injected fault" };
    }
    // Defining the function again retires its warm instances.
    if (drawn.cold) void this.#pool.define({ ...config });
    return this.#pool.call(name, { ...call, fault: drawn.call });
  }
}
