/**
 * Follows single requests through the replay of a record: what the policy was shown at each decision about a request's
 * line, what it decided, and every event of the request until its end.
 */
import type { PlanRecord } from "../../client/daemon/observe/recorder.ts";
import type { Policy, QueueView, TargetView } from "../../client/policies/policy.ts";
import type { QueueEvent } from "../../client/queue/queue-event.ts";
import type { ReplayObserver } from "./recorded-run.ts";

export type RecordedEvent = QueueEvent | PlanRecord;
export type ArrivalEvent = QueueEvent & { readonly kind: "arrival" };

/** A target as the policy saw it. */
export interface TargetSeen {
  readonly name: string;
  readonly inFlight: number;
  readonly maxInFlight: number;
  readonly isFailing: boolean;
  /** Left out when the target may be used now; `null`: it will not take these requests again. */
  readonly pausedUntilMs?: number | null;
}

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
  /** `untilMs` is null when the policy waits for the next event. `target` is a name. */
  readonly decision:
    | { readonly kind: "wait"; readonly untilMs: number | null }
    | { readonly kind: "send"; readonly requests: number; readonly target: string; readonly isIn: boolean }
    | { readonly kind: "refuse"; readonly requests: number; readonly isIn: boolean };
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
  batch: number | undefined;
  hasEnded: boolean;
}

/** The names that queue events have for requests and batches; a kind of event that is new may have none of them. */
interface EventNames {
  readonly id?: number;
  readonly batch?: number;
}

/** Collects the stories of some requests while a record is replayed. */
export class StoryCollector implements ReplayObserver {
  readonly #wanted: ReadonlySet<number>;
  readonly #stories = new Map<number, OpenStory>();
  readonly #planByKey = new Map<string, PlanRecord>();
  /** Events of a kind unknown here about a batch that is not formed yet. */
  #beforeBatch: RecordedEvent[] = [];
  #after: AskedStep["after"] = { kind: "start" };

  /** @param wanted ids of the requests */
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
          story.batch = event.id;
          story.steps.push(...this.#beforeBatch.filter((each) => namesIn(each).batch === event.id), event);
        }
        this.#beforeBatch = [];
        return;
      case "end":
      case "cancel":
        this.#ofRequest(event);
        break;
      case "result":
        for (const story of this.#open()) if (story.batch === event.batch) story.steps.push(event);
        break;
      default:
        this.#other(event);
    }
    if (event.kind !== "end")
      this.#after = { kind: event.kind, id: namesIn(event).id ?? namesIn(event).batch };
  }

  watch(policy: Policy): Policy {
    const decide = (view: QueueView): ReturnType<Policy["decide"]> => {
      const asked = this.#viewsOf(view);
      const decision = policy.decide(view);
      for (const { story, ahead } of asked) story.steps.push(this.#step(view, ahead, decision));
      return decision;
    };
    return new Proxy(policy, {
      get: (target, name) => {
        if (name === "decide") return decide;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  *#open(): Generator<OpenStory> {
    for (const story of this.#stories.values()) if (!story.hasEnded) yield story;
  }

  #arrived(request: ArrivalEvent): void {
    if (!this.#wanted.has(request.id)) return;
    const plan = this.#planByKey.get(request.key) ?? null;
    this.#stories.set(request.id, { request, plan, steps: [], batch: undefined, hasEnded: false });
  }

  #ofRequest(event: RecordedEvent & { readonly kind: "end" | "cancel" }): void {
    const story = this.#stories.get(event.id);
    story?.steps.push(event);
    if (story !== undefined && event.kind === "end") story.hasEnded = true;
  }

  /** Events of other kinds concern every open request, unless they name a request or a batch. */
  #other(event: RecordedEvent): void {
    if (event.kind === "timer") return;
    const { id, batch } = namesIn(event);
    for (const story of this.#open()) {
      if (id !== undefined ? id === story.request.id : batch === undefined || batch === story.batch)
        story.steps.push(event);
    }
    if (batch !== undefined) this.#beforeBatch.push(event);
  }

  /** The stories whose requests wait in the line that is shown, with their places in it. */
  #viewsOf({ line }: QueueView): { readonly story: OpenStory; readonly ahead: number }[] {
    const open = [...this.#open()];
    if (open.every(({ request }) => request.key !== line.key)) return [];
    const found: { story: OpenStory; ahead: number }[] = [];
    for (let ahead = 0; ahead < line.length; ahead++) {
      // The queue shows the policy its own requests, which have an id.
      const { id } = line.at(ahead) as EventNames;
      const story = open.find(({ request }) => request.id === id);
      if (story !== undefined) found.push({ story, ahead });
    }
    return found;
  }

  #step(view: QueueView, ahead: number, decision: ReturnType<Policy["decide"]>): AskedStep {
    const { nowMs, line, targets } = view;
    return {
      kind: "asked",
      atMs: nowMs,
      after: this.#after,
      line: {
        requests: line.length,
        rows: line.rows,
        ahead,
        oldestWaitedMs: nowMs - line.oldestArrivalMs(),
      },
      targets: targets.map((target) => targetSeen(target, nowMs)),
      decision: decisionOf(decision, ahead, targets),
    };
  }
}

function namesIn(event: RecordedEvent): EventNames {
  return event as EventNames;
}

function targetSeen(target: TargetView, nowMs: number): TargetSeen {
  const { name, inFlight, maxInFlight, isFailing, suspendedUntilMs } = target;
  const seen = { name, inFlight, maxInFlight, isFailing };
  if (suspendedUntilMs <= nowMs) return seen;
  return { ...seen, pausedUntilMs: suspendedUntilMs === Infinity ? null : suspendedUntilMs };
}

function decisionOf(
  decision: ReturnType<Policy["decide"]>,
  ahead: number,
  targets: readonly TargetView[],
): AskedStep["decision"] {
  switch (decision.kind) {
    case "wait":
      return { kind: "wait", untilMs: decision.untilMs === Infinity ? null : decision.untilMs };
    case "dispatch": {
      const { first = 0, count, target } = decision;
      const isIn = ahead >= first && ahead < first + count;
      return { kind: "send", requests: count, target: targets[target]?.name ?? String(target), isIn };
    }
    case "refuse":
      return { kind: "refuse", requests: decision.count, isIn: ahead < decision.count };
  }
}
