/**
 * One policy for each key: models differ in what their batches take, so each is planned and learned on its own. The
 * key longest unused is forgotten when there are too many and none of its batches is under way.
 */
import type { Policy } from "./policy.ts";

/** Keys that are remembered; those with batches under way beyond it. */
const maxKeys = 64;

interface Inner {
  readonly policy: Policy;
  batchesUnderWay: number;
}

/** @param make makes the policy of a key; it decides by nothing but what concerns that key */
export function byKeyPolicy(name: string, make: (key: string) => Policy): Policy {
  /** The least recently used first. */
  const inners = new Map<string, Inner>();
  const innerOf = (key: string): Inner => {
    const inner = inners.get(key) ?? { policy: make(key), batchesUnderWay: 0 };
    inners.delete(key);
    inners.set(key, inner);
    return inner;
  };
  const forget = (): void => {
    for (const [key, { batchesUnderWay }] of inners) {
      if (inners.size <= maxKeys) return;
      if (batchesUnderWay === 0) inners.delete(key);
    }
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
  };
}
