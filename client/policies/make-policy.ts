/** Makes a queue's policy from data, so that the daemon and the replay of its record make the same policy. */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { byKeyPolicy } from "./by-key.ts";
import { type FixedPlan, fixedPolicy } from "./fixed.ts";
import { ChangingTargets } from "./changing-targets.ts";
import { type LearnedTargets, learnedEdge, learnedTargets } from "./learned-targets.ts";
import { oversizedFirst } from "./oversized.ts";
import { type Policy, wrapPolicy } from "./policy.ts";
import type { PlanChange, PlanningPolicy, PredictionError, ReservedReplicas } from "./policy-inputs.ts";
import type { ProfiledTarget } from "./profile.ts";
import { listedNameOfKey, modelOfKey, mostRowsOfKey } from "./queue-key.ts";
import { policies, type PolicyName } from "./registry.ts";
import { type TargetProfile, withMostRows } from "./target-profile.ts";
import { withinKeyRows } from "./within-key-rows.ts";
import { withTimerSlack } from "./with-timer-slack.ts";

export type QueuePolicy =
  | ({ readonly name: "fixed" } & FixedPlan)
  | {
      readonly name: Exclude<PolicyName, "fixed">;
      readonly sloQuantile: number;
      readonly maxWaitMs?: number;
      /** By lane, the share of its requests that must meet their SLO, where that differs. */
      readonly laneQuantiles?: Readonly<Record<string, number>>;
      /** By lane, replicas of each edge that are kept for it. */
      readonly reserved?: ReservedReplicas;
      /** As of `PolicyInputs`. */
      readonly spendAllowanceMs?: number;
      /** In the order of the queue's targets; each has at least one model. */
      readonly targets: readonly ProfiledTarget[];
      readonly prices: PriceSheet;
    };

export interface PolicyListener {
  /** The policy of a key has made a plan. */
  onPlan?(key: string, change: PlanChange): void;
  /** A batch has come back that a policy had expectations of. */
  onPrediction?(error: PredictionError): void;
  /** A model arrived that is not in the profile; the times of `standIn` are used for it. */
  onStandIn?(model: string, standIn: string): void;
}

/**
 * Makes a policy that plans and learns for each key on its own and shares what is learned about the targets.
 * The fixed plan learns nothing and is one policy for all keys. No batch of several requests has more rows than its key
 * allows.
 *
 * @example
 * const { targets } = await calibrate(options);
 * const prices = readPriceSheet("alibaba-fc-cn-2026");
 * makePolicy({ name: "spillway", sloQuantile: 0.99, targets, prices }, 1_000);
 */
export function makePolicy(from: QueuePolicy, sloMs: number, listener: PolicyListener = {}): Policy {
  if (from.name === "fixed") return withinKeyRows(fixedPolicy(from));
  const { name, sloQuantile, laneQuantiles, maxWaitMs, reserved, spendAllowanceMs, prices } = from;
  const targets = new ChangingTargets(from.targets, prices);
  let learned: LearnedTargets | undefined;
  const policy = byKeyPolicy(name, (key) => {
    const model = modelOfKey(key);
    const standIn = targets.standInFor(model);
    if (standIn !== model) listener.onStandIn?.(model, standIn);
    const measured = targets.profilesOf(model);
    learned ??= learnedTargets({ targets: measured, sloMs });
    const profiles = measured.map((profile) => withMostRows(profile, mostRowsOfKey(key)));
    const planning = policies[name]({
      targets: profiles,
      sloMs,
      sloQuantile,
      laneQuantiles,
      maxWaitMs,
      reserved,
      spendAllowanceMs,
      currency: prices.currency,
      learned,
      onPlan: (change) => listener.onPlan?.(key, change),
      onPrediction: listener.onPrediction && ((error) => listener.onPrediction?.(error)),
    });
    return forKey({ key, planning, profiles, standIn, targets, sloMs });
  });
  return wrapPolicy(withinKeyRows(policy), {
    targetAdded: (target, known) => {
      const { profile } = known;
      if (profile === undefined) throw new RangeError(`target ${target} has no profile; ${name} needs one`);
      targets.add(target, profile);
      if (profile.kind === "edge")
        learned?.edges.set(target, learnedEdge(targets.profileAt(target, "", ""), sloMs));
      policy.targetAdded?.(target, known);
    },
    targetRemoved: (target) => {
      targets.remove(target);
      policy.targetRemoved?.(target);
      learned?.edges.delete(target);
    },
    targetServes: (target, models, measured) => {
      targets.serve(target, models);
      if (measured !== undefined) targets.measured(target, measured);
      policy.targetServes?.(target, models, measured);
    },
  });
}

interface KeyParts {
  readonly key: string;
  readonly planning: PlanningPolicy;
  /** As the planning policy has them. */
  readonly profiles: TargetProfile[];
  readonly standIn: string;
  readonly targets: ChangingTargets;
  readonly sloMs: number;
}

/** The policy of one key: it plans with the edges that serve the key's model, as they come and go. */
function forKey({ key, planning, profiles, standIn, targets, sloMs }: KeyParts): Policy {
  const [model, listedAs] = [modelOfKey(key), listedNameOfKey(key)];
  const used = new Set(targets.indices());
  const mostRows = (): number => {
    let most = 1;
    for (const index of used) most = Math.max(most, profiles[index]?.maxBatchRows ?? 1);
    return most;
  };
  let most = 1;
  const refresh = (target: number): void => {
    const isUsed = targets.serves(target, listedAs);
    if (!targets.isEdge(target) || isUsed === used.has(target)) return;
    if (isUsed) {
      const profile = withMostRows(targets.profileAt(target, model, standIn), mostRowsOfKey(key));
      profiles[target] = profile;
      used.add(target);
      planning.edgeAdded?.(target, profile);
    } else {
      used.delete(target);
      planning.edgeRemoved?.(target);
    }
    most = mostRows();
  };
  for (const target of targets.indices()) refresh(target);
  most = mostRows();
  const slack = withTimerSlack(planning, slackMs(sloMs), mostSlack * sloMs);
  return wrapPolicy(
    oversizedFirst(slack, () => most),
    { targetAdded: refresh, targetRemoved: refresh, targetServes: refresh },
  );
}

/** The largest slack for late timers, as a part of the SLO. */
const mostSlack = 0.25;

/** How late a timer may fire on a machine that also does other work. */
function slackMs(sloMs: number): number {
  return Math.min(10, 0.02 * sloMs);
}
