/**
 * One policy for each key. Models differ in how long their batches take, so each key plans and learns on its
 * own. When there are too many keys, the least recently used ones that have no batch in flight are forgotten.
 */
import type { Policy } from "./policy.ts";

/** Keys that are remembered; keys with batches in flight are kept beyond that. */
const maxKeys = 64;

interface Inner {
  readonly key: string;
  readonly policy: Policy;
  batchesUnderWay: number;
}

/** @param make makes the policy of a key, which is told only of that key's requests and batches */
export function byKeyPolicy(name: string, make: (key: string) => Policy): Policy {
  /** Least recently used first. */
  const inners = new Map<string, Inner>();
  let latest: Inner | undefined;
  const innerOf = (key: string): Inner => {
    if (latest?.key === key) return latest;
    latest = inners.get(key) ?? { key, policy: make(key), batchesUnderWay: 0 };
    inners.delete(key);
    inners.set(key, latest);
    return latest;
  };
  const forget = (): void => {
    for (const [key, { policy, batchesUnderWay }] of inners) {
      if (inners.size <= maxKeys) return;
      if (batchesUnderWay > 0) continue;
      inners.delete(key);
      if (latest?.key === key) latest = undefined;
      policy.released?.();
    }
  };
  const all = function* (): Generator<Policy> {
    for (const { policy } of inners.values()) yield policy;
  };
  return {
    name,
    decide: (view) => innerOf(view.line.key).policy.decide(view),
    arrived: (key, rows, nowMs) => {
      innerOf(key).policy.arrived?.(key, rows, nowMs);
      forget();
    },
    plan: (key, nowMs) => innerOf(key).policy.plan?.(key, nowMs),
    took: (view, decision) => innerOf(view.line.key).policy.took?.(view, decision),
    expired: (key, count, nowMs) => innerOf(key).policy.expired?.(key, count, nowMs),
    sent: (batch) => {
      const inner = innerOf(batch.key);
      inner.batchesUnderWay++;
      inner.policy.sent?.(batch);
    },
    ended: (batch) => {
      const inner = innerOf(batch.key);
      inner.batchesUnderWay--;
      inner.policy.ended?.(batch);
    },
    targetAdded: (target, known) => {
      for (const policy of all()) policy.targetAdded?.(target, known);
    },
    targetRemoved: (target) => {
      for (const policy of all()) policy.targetRemoved?.(target);
    },
    targetServes: (target, models) => {
      for (const policy of all()) policy.targetServes?.(target, models);
    },
  };
}
