/** What a host cannot be started with: a programmer's errors, found before anything runs. */
import { unitsPerS, type PriceSheet } from "../prices/price.ts";
import { functionName } from "../prices/fc-limits.ts";
import type { FunctionConfig } from "./fc-contract.ts";

/** @throws RangeError when a function or a bound is not usable */
export function checkFunctions(
  functions: readonly FunctionConfig[],
  maxInstances: number,
  idleMs: number,
  prices: PriceSheet,
): void {
  if (!(Number.isInteger(maxInstances) && maxInstances >= 1)) {
    throw new RangeError(`maxInstances is ${maxInstances}; allowed: an integer of at least 1`);
  }
  checkMs("idleMs", idleMs);
  const names = new Set<string>();
  for (const { name, command, timeoutMs, ...size } of functions) {
    const { vcpu, memoryMib } = size;
    if (!functionName.test(name))
      throw new RangeError(`function name "${name}" does not match ${functionName}`);
    if (names.has(name)) throw new RangeError(`function name "${name}" is used twice`);
    names.add(name);
    if (!command[0]) throw new RangeError(`function ${name} has no command`);
    if (!(vcpu > 0 && memoryMib > 0)) {
      throw new RangeError(
        `function ${name} has ${vcpu} vCPU and ${memoryMib} MiB; allowed: more than 0 of both`,
      );
    }
    // A size that cannot be priced would be found by its first call.
    unitsPerS(prices, size);
    checkMs(`timeoutMs of function ${name}`, timeoutMs);
  }
}

/** Node's timers take at most 2^31 - 1 ms and fire at once beyond it. */
function checkMs(name: string, ms: number): void {
  if (!(ms >= 1 && ms < 2 ** 31)) throw new RangeError(`${name} is ${ms}; allowed: 1 to ${2 ** 31 - 1}`);
}
