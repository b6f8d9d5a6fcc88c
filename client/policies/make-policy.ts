/** Makes a queue's policy from data, so that the daemon and the replay of its record make the same policy. */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { byKeyPolicy } from "./by-key.ts";
import { type FixedPlan, fixedPolicy } from "./fixed.ts";
import { type LearnedTargets, learnedTargets } from "./learned-targets.ts";
import { oversizedFirst } from "./oversized.ts";
import type { Policy } from "./policy.ts";
import type { PlanChange, ReservedReplicas } from "./policy-inputs.ts";
import type { ProfiledTarget } from "./profile.ts";
import { profiledTargets, standInFor } from "./profiled-targets.ts";
import { modelOfKey, mostRowsOfKey } from "./queue-key.ts";
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
  const { name, sloQuantile, maxWaitMs, reserved, spendAllowanceMs, targets, prices } = from;
  // Computed once for each model, because every new shape brings a new key.
  const profilesByModel = new Map<string, readonly TargetProfile[]>();
  const profilesOf = (model: string, isStandIn: boolean): readonly TargetProfile[] => {
    const name = `${isStandIn ? "guess" : "known"} ${model}`;
    const profiles = profilesByModel.get(name) ?? profiledTargets(targets, model, prices, isStandIn);
    profilesByModel.set(name, profiles);
    return profiles;
  };
  let learned: LearnedTargets | undefined;
  const policy = byKeyPolicy(name, (key) => {
    const model = modelOfKey(key);
    const standIn = standInFor(model, targets);
    if (standIn !== model) listener.onStandIn?.(model, standIn);
    const measured = profilesOf(standIn, standIn !== model);
    learned ??= learnedTargets({ targets: measured, sloMs });
    const profiles = measured.map((profile) => withMostRows(profile, mostRowsOfKey(key)));
    const policy = policies[name]({
      targets: profiles,
      sloMs,
      sloQuantile,
      maxWaitMs,
      reserved,
      spendAllowanceMs,
      currency: prices.currency,
      learned,
      onPlan: (change) => listener.onPlan?.(key, change),
    });
    const mostRows = Math.max(...profiles.map(({ maxBatchRows }) => maxBatchRows));
    return oversizedFirst(withTimerSlack(policy, slackMs(sloMs), mostSlack * sloMs), mostRows);
  });
  return withinKeyRows(policy);
}

/** The largest slack for late timers, as a part of the SLO. */
const mostSlack = 0.25;

/** How late a timer may fire on a machine that also does other work. */
function slackMs(sloMs: number): number {
  return Math.min(10, 0.02 * sloMs);
}
