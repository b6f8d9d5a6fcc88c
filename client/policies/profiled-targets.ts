/** What a policy for one model knows of the targets, from a profile and a price sheet. */
import { MeasuredTimes } from "../../algorithms/latency/measured-times.ts";
import { quantileOfSorted } from "../../base/quantile.ts";
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import { type ProfiledTarget, timesOf } from "./profile.ts";
import { targetProfile } from "./measured-target.ts";
import type { TargetProfile } from "./target-profile.ts";

/** Which of the cold starts that were seen is reckoned with. */
const coldStartQuantile = 0.9;
/** Providers do not say how long an idle instance is kept; this is a time that those known keep it for. */
const idleMs = 180_000;

/**
 * The model whose times stand for `model`: itself where a target has it, else the first that one has.
 *
 * @param targets of which each has some model
 */
export function standInFor(model: string, targets: readonly ProfiledTarget[]): string {
  if (targets.some(({ models }) => models[model] !== undefined)) return model;
  return Object.keys(targets[0]?.models ?? {})[0] ?? model;
}

/** In the order of the targets; a target without that model tells of its first one. */
export function profiledTargets(
  targets: readonly ProfiledTarget[],
  model: string,
  sheet: PriceSheet,
): TargetProfile[] {
  return targets.map((target) => {
    const times = timesOf(target, model);
    const { name, kind, replicas, link } = target;
    const { requestBytes } = times;
    const costOf = (serviceMs: number): number =>
      target.kind === "edge" ? 0 : callCost(sheet, target, serviceMs).cost;
    const coldStartsMs = Float64Array.from(target.coldStartMs).sort();
    return targetProfile({
      name,
      kind,
      replicas,
      link,
      requestBytes,
      service: new MeasuredTimes(times.serviceMs, times.maxBatch),
      costOf,
      coldStartMs: coldStartsMs.length === 0 ? 0 : quantileOfSorted(coldStartsMs, coldStartQuantile),
      idleMs: kind === "edge" ? Infinity : idleMs,
    });
  });
}
