/** Runs the calls of functions and has them metered, whichever way they came in: by the API, a trigger, or the async queue. */
import type { Call } from "./call.ts";
import type { Faults } from "./faults.ts";
import { fcErrorStatus, type FunctionConfig } from "./fc-contract.ts";
import type { CallEnd, Instances } from "./instances.ts";
import { hasFailed } from "./invoke-answer.ts";
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
    if (met.throttled)
      return { ran: false, code: "ResourceExhausted", message: "a fault that was asked for" };
    // The same function once more, so that its warm instances are old ones.
    if (met.cold) void this.#instances.define({ ...config });
    const ended = await this.#instances.call(name, { ...call, fault: met.call });
    if (ended.ran) {
      const { initializeMs, coldStartMs, invoke } = ended;
      if (initializeMs > 0) this.#meter.initialized(name, initializeMs);
      this.#meter.called(name, { durationMs: invoke.durationMs, coldStartMs, failed: hasFailed(invoke) });
    } else if (fcErrorStatus[ended.code] === 412) {
      this.#meter.failedToStart(name);
    }
    return ended;
  }
}
