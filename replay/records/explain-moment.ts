/** What the policy saw and decided around one moment of a record: the last decision about each line before it, and those after. */
import type { PlanRecord } from "../../client/daemon/observe/observer.ts";
import { type Decision, type Policy, type QueueView, wrapPolicy } from "../../client/policies/policy.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import type { Reason } from "../../client/policies/reasons/reason.ts";
import { type Seen, seenIn } from "../../client/policies/reasons/seen.ts";
import type { RecordedEvent } from "./explain.ts";

/** How long after the moment decisions belong to it, in milliseconds. */
export const momentMs = 10;
/** Decisions that are told of. */
const mostDecisions = 30;

/** One decision about a line. */
export interface DecisionSeen {
  readonly atMs: number;
  readonly model: string;
  readonly saw: Seen;
  readonly decision: {
    readonly kind: Decision["kind"];
    /** Of requests, or of places in the line where they are split. */
    readonly count?: number;
    readonly target?: string;
    /** Null: until something happens. */
    readonly untilMs?: number | null;
    readonly reason?: string;
  };
  readonly why?: Reason;
}

export interface MomentSeen {
  readonly atMs: number;
  /** The last plan that was adopted for each model. */
  readonly plans: readonly PlanRecord[];
  /** The last decision about each line before the moment. */
  readonly before: readonly DecisionSeen[];
  readonly after: readonly DecisionSeen[];
  /** Decisions after it that are left out. */
  readonly leftOut: number;
}

export class MomentCollector {
  readonly #atMs: number;
  readonly #plans = new Map<string, PlanRecord>();
  readonly #before = new Map<string, DecisionSeen>();
  readonly #after: DecisionSeen[] = [];
  #leftOut = 0;

  /** @param atMs of the record's clock */
  constructor(atMs: number) {
    this.#atMs = atMs;
  }

  get moment(): MomentSeen {
    const before = [...this.#before.values()].sort((a, b) => a.atMs - b.atMs).slice(-mostDecisions);
    const plans = [...this.#plans.values()].slice(-mostDecisions);
    return { atMs: this.#atMs, plans, before, after: this.#after, leftOut: this.#leftOut };
  }

  onEvent(event: RecordedEvent): void {
    if (event.kind === "plan" && event.isAdopted && event.atMs <= this.#atMs)
      this.#plans.set(event.key, event);
  }

  watch(policy: Policy): Policy {
    return wrapPolicy(policy, {
      decide: (view) => {
        const decision = policy.decide(view);
        this.#decided(view, decision);
        return decision;
      },
    });
  }

  #decided(view: QueueView, decision: Decision): void {
    const { nowMs, line } = view;
    if (nowMs > this.#atMs + momentMs) return;
    if (nowMs < this.#atMs) this.#before.set(line.key, seenDecision(view, decision));
    else if (this.#after.length < mostDecisions) this.#after.push(seenDecision(view, decision));
    else this.#leftOut++;
  }
}

function seenDecision(view: QueueView, decision: Decision): DecisionSeen {
  const { nowMs: atMs, line, targets } = view;
  const { kind, why } = decision;
  const facts =
    decision.kind === "wait"
      ? { untilMs: decision.untilMs === Infinity ? null : decision.untilMs }
      : {
          count: decision.count,
          ...(decision.kind === "dispatch" && { target: targets[decision.target]?.name ?? "?" }),
          ...("reason" in decision && { reason: decision.reason }),
        };
  const seen = { atMs, model: modelOfKey(line.key), saw: seenIn(view), decision: { kind, ...facts } };
  return why === undefined ? seen : { ...seen, why };
}
