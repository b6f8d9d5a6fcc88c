// Which parameters the requests of one batch must have in common. Apart from stacking itself, because this is a judgement
// about meaning: a parameter nobody here knows may change what a model does, so it counts.

import type { Parameters } from "./parameters.ts";

/** The parameters that must agree within a batch, sorted by name. */
export function sharedEntries(parameters: Parameters | undefined): [string, string | number | boolean][] {
  return Object.entries(parameters ?? {})
    .filter(([name]) => !steersOnly(name))
    .toSorted(byName);
}

/** Whether a parameter steers transport or scheduling only, and so never reaches the model. */
function steersOnly(name: string): boolean {
  return (
    name === "priority" ||
    name === "timeout" ||
    name.startsWith("binary_data") ||
    name.startsWith("spillway_")
  );
}

/** Orders entries by their first item, whatever the locale. */
export function byName(a: readonly unknown[], b: readonly unknown[]): number {
  return String(a[0]) < String(b[0]) ? -1 : 1;
}
