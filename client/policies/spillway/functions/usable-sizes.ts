/** Which sizes of function may be called: those that are well, or else the one that is back first. */
import { readyAtMs, type TargetHealth, type TargetView } from "../../../targets/target-view.ts";
import { hasOwnFault } from "../decision-context.ts";
import type { FunctionModel } from "./function-model.ts";

/** Without sizes that are unhealthy on their own or hang, while others remain. */
export function usableSizes(
  sizes: readonly FunctionModel[],
  targets: readonly TargetView[],
  nowMs: number,
): readonly FunctionModel[] {
  const healthOf = ({ target }: FunctionModel): TargetHealth => (targets[target] as TargetView).health(nowMs);
  const well = sizes.filter((size) => !hasOwnFault(healthOf(size)));
  const usable = well.filter((size) => !size.hangs(nowMs));
  if (usable.length > 0) return usable;
  if (well.length > 0) return well;
  const allowed = sizes.filter((size) => healthOf(size).kind !== "excluded");
  if (allowed.length === 0) return allowed;
  const backAtMs = (size: FunctionModel): number => {
    const health = healthOf(size);
    return health.kind === "probing" ? health.sinceMs : readyAtMs(health);
  };
  const firstAtMs = Math.min(...allowed.map(backAtMs));
  return allowed.filter((size) => backAtMs(size) === firstAtMs);
}
