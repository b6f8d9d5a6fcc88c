/** Targets that neither come nor go and serve every model, as sets of eligible targets know them. */
import type { TargetSlots } from "../../client/queue/eligible-targets.ts";
import type { TargetView } from "../../client/targets/target-view.ts";

export function fixedSlots(all: readonly TargetView[]): TargetSlots {
  return { all, serialAt: (index) => index, isThere: () => true };
}
