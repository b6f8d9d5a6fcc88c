/** The metric that tells who calls. Its labels are fixed words and the names in the file of API keys, so they are bounded. */
import { Counter, type Registry } from "../program/metric-registry.ts";
import type { CallerCounts } from "./access-gate.ts";

export function callerCounter(
  registry: Registry,
  name: string,
  callers: () => readonly CallerCounts[],
): void {
  const counter: Counter<"caller" | "key" | "result"> = new Counter({
    name,
    help: "Requests by who made them and whether they were allowed, denied, or limited by the rate of an API key",
    labelNames: ["caller", "key", "result"],
    registers: [registry],
    collect: () => {
      counter.reset();
      for (const { caller, key, counts } of callers())
        for (const [result, count] of Object.entries(counts)) counter.inc({ caller, key, result }, count);
    },
  });
}
