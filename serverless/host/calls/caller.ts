/** Runs the calls of functions, whichever way they came in, and has them meet the faults that were asked for. */
import type { Call } from "./call.ts";
import type { Faults } from "../faults.ts";
import type { FunctionConfig } from "../fc-contract.ts";
import type { CallEnd, Instances } from "../instances/instances.ts";
import type { Meter } from "./meter.ts";

export class Caller {
  readonly #instances: Instances;
  readonly #meter: Meter;
  readonly #faults: Faults;

  constructor(instances: Instances, meter: Meter, faults: Faults) {
    this.#instances = instances;
    this.#meter = meter;
    this.#faults = faults;
  }

  async call(config: FunctionConfig, call: Call): Promise<CallEnd> {
    const { name } = config;
    const met = this.#faults.meet(name);
    if (met.throttled) {
      this.#meter.refused(name);
      return { ran: false, code: "ResourceExhausted", message: "a fault that was asked for" };
    }
    // The same function once more, so that its warm instances are old ones.
    if (met.cold) void this.#instances.define({ ...config });
    const { requestId, body, ...more } = call;
    return this.#instances.call(name, requestId, body, { ...more, fault: met.call });
  }
}
