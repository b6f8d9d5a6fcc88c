/** What a policy for one model knows about the targets, made from a profile and a price sheet. */
import { MeasuredTimes } from "../../algorithms/latency/measured-times.ts";
import { quantileOfSorted } from "../../base/quantile.ts";
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import { type ProfiledTarget, timesOf } from "./profile.ts";
import { targetProfile } from "./measured-target.ts";
import type { TargetProfile } from "./target-profile.ts";

/** The quantile of the observed cold starts that policies plan with. */
const coldStartQuantile = 0.9;
/** Providers do not say how long they keep an idle instance; known providers do keep it for this long. */
const idleMs = 180_000;

/**
 * The model whose times are used for `model`: itself if a target has it, else the first target's first model.
 *
 * @param targets each with at least one model
 *
 * @example When the targets were measured with "resnet" only:
 * standInFor("bert", targets); // "resnet"
 */
export function standInFor(model: string, targets: readonly ProfiledTarget[]): string {
  if (targets.some(({ models }) => models[model] !== undefined)) return model;
  return Object.keys(targets[0]?.models ?? {})[0] ?? model;
}

/**
 * The targets' profiles, in their order. A target without that model gives the times of its first model, as a guess.
 *
 * @param isStandIn whether the model stands in for another one, so that all times are a guess
 */
export function profiledTargets(
  targets: readonly ProfiledTarget[],
  model: string,
  sheet: PriceSheet,
  isStandIn = false,
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
      usualColdStartMs: coldStartsMs.length === 0 ? 0 : quantileOfSorted(coldStartsMs, 0.5),
      idleMs: kind === "edge" ? Infinity : idleMs,
      isAssumed: isStandIn || times.isAssumed === true || target.models[model] === undefined,
    });
  });
}
