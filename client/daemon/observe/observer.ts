/** Who watches a daemon's queue: the log, the record and the metrics see every event and every plan, in order. */
import type { PlanChange } from "../../policies/policy-inputs.ts";
import type { QueueEvent } from "../../queue/queue-event.ts";

/** The policy made a plan for the lines of a key. */
export interface PlanRecord extends PlanChange {
  readonly kind: "plan";
  readonly key: string;
}

export interface QueueObserver {
  /** Called from inside the queue, so it must not call the queue. */
  observe(event: QueueEvent | PlanRecord): void;
}

/** Several observers as one; each event goes to them in their order. */
export function observeAll(observers: readonly QueueObserver[]): QueueObserver {
  return {
    observe: (event) => {
      for (const observer of observers) observer.observe(event);
    },
  };
}
