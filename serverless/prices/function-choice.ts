/** Which functions are meant: those of a menu, or one that has options of its own. */
import type { MenuFunction } from "./function-menu.ts";
import { UsageError } from "../../base/usage-error.ts";

interface FunctionOptions {
  readonly functions?: readonly MenuFunction[] | undefined;
  readonly function?: string | undefined;
  readonly vcpu?: number | undefined;
  readonly memory?: number | undefined;
  readonly functionUrl?: string | undefined;
}

const onlyFunction = { name: "spillway", vcpu: 0.5, memoryMib: 1_024 };

/** @throws UsageError when both a menu and an option of the only function are given */
export function chosenFunctions(options: FunctionOptions): readonly MenuFunction[] {
  const { functions, function: name, vcpu, memory: memoryMib, functionUrl } = options;
  if (functions === undefined) {
    const only = {
      name: name ?? onlyFunction.name,
      vcpu: vcpu ?? onlyFunction.vcpu,
      memoryMib: memoryMib ?? onlyFunction.memoryMib,
    };
    if (only.name === "edge") throw new UsageError('--function is "edge"; allowed: any other name');
    return [functionUrl === undefined ? only : { ...only, url: functionUrl }];
  }
  for (const [flag, value] of Object.entries({
    function: name,
    vcpu,
    memory: memoryMib,
    "function-url": functionUrl,
  })) {
    if (value === undefined) continue;
    throw new UsageError(`--${flag} is of the only function; with --functions, say it there`);
  }
  return functions;
}
