/** An event of the queue as one of those that are kept: how much memory it holds, and which requests it concerns. */
import type { QueueEvent } from "../../../queue/queue-event.ts";
import type { PlanRecord } from "../observer.ts";
import type { ArrivalEvent } from "./event-text.ts";

export type KeptEvent = QueueEvent | PlanRecord;

/** @param batches those that the request was in so far */
export function concerns(event: KeptEvent, { id, key }: ArrivalEvent, batches: ReadonlySet<number>): boolean {
  switch (event.kind) {
    case "batch":
      return event.requests.includes(id);
    case "result":
      return batches.has(event.batch);
    case "plan":
    case "refusal":
      return event.key === key;
    case "arrival":
    case "timer":
      return false;
    case "end":
    case "cancel":
    case "postponed":
    case "barred":
      return event.id === id;
    default:
      return true;
  }
}

/** About what an event holds in memory as an object. */
export function bytesOf(event: KeptEvent): number {
  switch (event.kind) {
    case "batch": {
      const { requests, ranges = [], saw } = event;
      return 500 + 8 * requests.length + 64 * ranges.length + 160 * (saw?.targets.length ?? 0);
    }
    case "plan":
      return 2_000 + 2 * event.text.length;
    case "end":
      return event.why === undefined ? 120 : 700;
    case "arrival":
      return 200 + (event.tenant?.length ?? 0);
    case "refusal":
      return 300 + event.message.length;
    case "result":
      return 250 + (event.ok ? 0 : event.message.length) + 300 * (event.unanswered?.length ?? 0);
    case "target-added":
      return 20_000;
    default:
      return 200;
  }
}
