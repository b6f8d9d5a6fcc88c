/**
 * `spillway` without one of its parts, as far as a part can be left out from outside: it is told less, or what it shares
 * with the policies of other models knows less. What is inside of it stays as it is.
 */
import type { LinkModel } from "../../algorithms/network/link-model.ts";
import { type LearnedTargets, learnedTargets } from "../../client/policies/learned-targets.ts";
import { type EndedBatch, type Policy, wrapPolicy } from "../../client/policies/policy.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { spillwayPolicy } from "../../client/policies/spillway/spillway.ts";
import { WarmInstances } from "../../client/targets/warm-instances.ts";

export interface Ablation {
  /** What the policy does not know or do. */
  readonly text: string;
  readonly policy: (inputs: PolicyInputs) => Policy;
}

export const ablations = {
  "cold starts": {
    text: "every function is taken for warm at all times",
    policy: (inputs) =>
      withTargets(inputs, ({ functions }) => {
        functions.instancesOf = (_, idleMs) => new AlwaysWarm(idleMs);
      }),
  },
  "uplink queue": {
    text: "uploads to functions are not expected to wait for each other",
    policy: (inputs) =>
      withTargets(inputs, ({ functions }) => {
        Object.defineProperty(functions.link, "freeAtMs", { get: () => -Infinity });
      }),
  },
  losses: {
    text: "nothing is learned from requests that missed the SLO: neither margins nor causes",
    policy: (inputs) => {
      const policy = spillwayPolicy(inputs);
      return wrapPolicy(policy, {
        expired: () => {},
        took: (view, decision) =>
          policy.took?.(view, decision.kind === "refuse" ? { ...decision, count: 0 } : decision),
        ended: (batch) => policy.ended?.({ ...batch, late: 0 }),
      });
    },
  },
  answers: {
    text: "service times and links are believed to be as measured before",
    policy: (inputs) => {
      const policy = withTargets(inputs, ({ edges, functions }) => {
        for (const { link } of edges.values()) keepAsAssumed(link);
        keepAsAssumed(functions.link);
      });
      return wrapPolicy(policy, { ended: (batch) => policy.ended?.(asMeasured(batch, inputs)) });
    },
  },
  replanning: {
    text: "the plan is that of the start",
    policy: (inputs) => {
      const policy = spillwayPolicy(inputs);
      let isPlanned = false;
      return wrapPolicy(policy, {
        plan: (key, nowMs) => {
          if (!isPlanned) policy.plan?.(key, nowMs);
          isPlanned = true;
        },
      });
    },
  },
} as const satisfies Record<string, Ablation>;

export type AblationName = keyof typeof ablations;

export const ablationNames = Object.keys(ablations) as AblationName[];

/** @param change of what the policy knows of its targets */
function withTargets(inputs: PolicyInputs, change: (learned: LearnedTargets) => void): Policy {
  const learned = learnedTargets(inputs);
  change(learned);
  return spillwayPolicy({ ...inputs, learned });
}

/** An upload that ends tells the link nothing. */
function keepAsAssumed(link: LinkModel): void {
  const ended = link.ended.bind(link);
  link.ended = (upload) => ended(upload, undefined);
}

function asMeasured(batch: EndedBatch, { targets }: PolicyInputs): EndedBatch {
  const serviceMs = targets[batch.target]?.meanServiceMs[batch.rows];
  if (batch.times?.serviceMs === undefined || serviceMs === undefined) return batch;
  return { ...batch, times: { ...batch.times, serviceMs } };
}

class AlwaysWarm extends WarmInstances {
  override isIdle(): boolean {
    return true;
  }

  override idleForMs(): number {
    return 0;
  }
}
