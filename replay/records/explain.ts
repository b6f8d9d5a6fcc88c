/**
 * Follows single requests through the replay of a record: what the policy was shown at each decision about a request's
 * line, what it decided, and every event of the request until its end.
 */
import type { PlanRecord } from "../../client/daemon/observe/observer.ts";
import type { ArrivalEvent } from "../../client/daemon/observe/why/event-text.ts";
import { type Decision, type Policy, type QueueView, wrapPolicy } from "../../client/policies/policy.ts";
import type { QueueEvent } from "../../client/queue/queue-event.ts";
import type { Reason } from "../../client/policies/reasons/reason.ts";
import { type TargetSeen, targetsSeen } from "../../client/policies/reasons/seen.ts";
import type { ReplayObserver } from "./recorded-run.ts";

export type RecordedEvent = QueueEvent | PlanRecord;

/** The policy was asked about the line in which the request waits. */
export interface AskedStep {
  readonly kind: "asked";
  readonly atMs: number;
  /** The event after which it was asked. */
  readonly after: { readonly kind: string; readonly id?: number | undefined };
  /** What waited in the line: requests, rows over all, requests before this one, and the time since the oldest arrived. */
  readonly line: {
    readonly requests: number;
    readonly rows: number;
    readonly ahead: number;
    readonly oldestWaitedMs: number;
  };
  readonly targets: readonly TargetSeen[];
  /** Why, where the policy says so. */
  readonly why?: Reason;
  /** `untilMs` is null when the policy waits for the next event. `target` is a name. */
  readonly decision:
    | { readonly kind: "wait"; readonly untilMs: number | null }
    | { readonly kind: "send"; readonly requests: number; readonly target: string; readonly isIn: boolean }
    | { readonly kind: "refuse" | "postpone"; readonly requests: number; readonly isIn: boolean };
}

/** One request from its arrival to its end. */
export interface RequestStory {
  readonly request: ArrivalEvent;
  /** The plan in force when it arrived; null when there was none, as under a policy without plans. */
  readonly plan: PlanRecord | null;
  /** In order: decisions about its line, and events that concern it. */
  readonly steps: (AskedStep | RecordedEvent)[];
}

interface OpenStory extends RequestStory {
  /** The batches that it, or some of its rows, are under way in. */
  readonly batches: Set<number>;
  hasEnded: boolean;
}

/** What an event may name; a kind of event that is unknown here may name nothing. */
interface EventNames {
  readonly id?: number;
  readonly batch?: number;
  readonly key?: string;
}

/** Collects the stories of some requests while a record is replayed. */
export class StoryCollector implements ReplayObserver {
  readonly #wanted: ReadonlySet<number>;
  readonly #stories = new Map<number, OpenStory>();
  readonly #planByKey = new Map<string, PlanRecord>();
  #after: AskedStep["after"] = { kind: "start" };

  /** @param wanted ids */
  constructor(wanted: Iterable<number>) {
    this.#wanted = new Set(wanted);
  }

  get stories(): RequestStory[] {
    return Array.from(this.#stories.values(), ({ request, plan, steps }) => ({ request, plan, steps }));
  }

  onEvent(event: RecordedEvent): void {
    switch (event.kind) {
      case "arrival":
        this.#arrived(event);
        break;
      case "plan":
        if (event.isAdopted) this.#planByKey.set(event.key, event);
        for (const story of this.#open()) if (story.request.key === event.key) story.steps.push(event);
        return;
      case "batch":
        for (const story of this.#open()) {
          if (!event.requests.includes(story.request.id)) continue;
          story.batches.add(event.id);
          story.steps.push(event);
        }
        return;
      case "end":
        this.#other(event);
        for (const story of this.#open()) if (story.request.id === event.id) story.hasEnded = true;
        return;
      case "postponed":
      case "barred":
        this.#other(event);
        return;
      case "result":
        for (const story of this.#open()) {
          if (story.batches.delete(event.batch)) story.steps.push(event);
        }
        break;
      case "timer":
        break;
      default:
        this.#other(event);
    }
    this.#after = { kind: event.kind, id: namesIn(event).id ?? namesIn(event).batch };
  }

  watch(policy: Policy): Policy {
    return wrapPolicy(policy, {
      decide: (view) => {
        const decision = policy.decide(view);
        for (const { story, ahead } of this.#viewsOf(view))
          story.steps.push(this.#step(view, ahead, decision));
        return decision;
      },
    });
  }

  *#open(): Generator<OpenStory> {
    for (const story of this.#stories.values()) if (!story.hasEnded) yield story;
  }

  #arrived(request: ArrivalEvent): void {
    if (!this.#wanted.has(request.id)) return;
    const plan = this.#planByKey.get(request.key) ?? null;
    this.#stories.set(request.id, { request, plan, steps: [], batches: new Set(), hasEnded: false });
  }

  /** An event concerns the request that it names, or those that wait with the key that it names, or else all. */
  #other(event: RecordedEvent): void {
    const { id, key } = namesIn(event);
    for (const { request, batches, steps } of this.#open()) {
      const concerns =
        id === undefined
          ? key === undefined || (key === request.key && batches.size === 0)
          : id === request.id;
      if (concerns) steps.push(event);
    }
  }

  /** The stories whose requests wait in the line that is shown, each with the place of the first of its rows there. */
  #viewsOf({ line }: QueueView): { readonly story: OpenStory; readonly ahead: number }[] {
    const open = [...this.#open()];
    if (open.every(({ request }) => request.key !== line.key)) return [];
    const found: { story: OpenStory; ahead: number }[] = [];
    for (let ahead = 0; ahead < line.length; ahead++) {
      // The queue shows the policy its own requests, which have an id.
      const { id } = line.at(ahead) as EventNames;
      const story = open.find(({ request }) => request.id === id);
      if (story !== undefined && found.every((other) => other.story !== story)) found.push({ story, ahead });
    }
    return found;
  }

  #step(view: QueueView, ahead: number, decision: Decision): AskedStep {
    const { nowMs, line, targets } = view;
    return {
      kind: "asked",
      atMs: nowMs,
      after: this.#after,
      line: {
        requests: requestsIn(line, 0, line.length),
        rows: line.rows,
        ahead: requestsIn(line, 0, ahead),
        oldestWaitedMs: nowMs - line.oldestArrivalMs(),
      },
      targets: targetsSeen(targets, nowMs),
      ...(decision.why !== undefined && { why: decision.why }),
      decision: decisionOf(decision, ahead, view),
    };
  }
}

function namesIn(event: RecordedEvent): EventNames {
  return event as EventNames;
}

/** How many requests those places of a line belong to: a request that was split has a place for each of its rows. */
function requestsIn(line: QueueView["line"], first: number, count: number): number {
  const ids = new Set<unknown>();
  for (let index = first; index < Math.min(line.length, first + count); index++) {
    const row = line.at(index);
    ids.add((row as EventNames).id ?? row);
  }
  return ids.size;
}

function decisionOf(decision: Decision, ahead: number, { line, targets }: QueueView): AskedStep["decision"] {
  switch (decision.kind) {
    case "wait":
      return { kind: "wait", untilMs: decision.untilMs === Infinity ? null : decision.untilMs };
    case "dispatch": {
      const { first = 0, count, target } = decision;
      const isIn = ahead >= first && ahead < first + count;
      const requests = requestsIn(line, first, count);
      return { kind: "send", requests, target: targets[target]?.name ?? String(target), isIn };
    }
    case "postpone": {
      const { first, count } = decision;
      const requests = requestsIn(line, first, count);
      return { kind: "postpone", requests, isIn: ahead >= first && ahead < first + count };
    }
    case "refuse":
      return { kind: "refuse", requests: requestsIn(line, 0, decision.count), isIn: ahead < decision.count };
  }
}
