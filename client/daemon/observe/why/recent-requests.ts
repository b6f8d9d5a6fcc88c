/**
 * The stories of recent requests: what happened to each, and why. All events are kept in their order, in a bounded number of
 * bytes, the oldest of them dropped first; a story is put together from them when somebody asks for it. So that keeping them
 * costs the queue no more than an append.
 *
 *     const recent = new RecentRequests("c0ffee");
 *     recent.observe(event); // of every event
 *     recent.story(recent.idOf(17)); // what happened to request 17, while it is kept
 */
import { randomBytes } from "node:crypto";
import { modelOfKey } from "../../../policies/queue-key.ts";
import type { Reason } from "../../../policies/reasons/reason.ts";
import type { Seen } from "../../../policies/reasons/seen.ts";
import type { QueueEvent } from "../../../queue/queue-event.ts";
import type { PlanRecord, QueueObserver } from "../observer.ts";
import { type ArrivalEvent, eventText } from "./event-text.ts";
import { concerns, type KeptEvent } from "./kept-event.ts";
import { KeptEvents } from "./kept-events.ts";

/** Bytes of events that are kept, as estimated. */
const usualBytes = 16 * 2 ** 20;
/** Requests of a list. */
const mostListed = 100;

/** An answer that was given before the request came to the queue. */
interface TurnedAway {
  readonly kind: "turned-away";
  readonly nth: number;
  readonly at: string;
  readonly message: string;
}

export interface StoryStep {
  /** Since the request arrived, in milliseconds. */
  readonly sinceMs: number;
  readonly kind: string;
  readonly text: string;
  /** Of a decision: why, and what the policy saw. */
  readonly why?: Reason;
  readonly saw?: Seen;
}

/** Some rows of a request that left in one batch. */
export interface StoryPart {
  readonly batch: number;
  readonly target: string;
  /** From the first row to the one after the last. */
  readonly rows: readonly [number, number];
}

export interface KeptStory {
  readonly id: string;
  /** Its number in the run, as `replay --explain` takes it. */
  readonly request: number;
  readonly model: string;
  readonly rows: number;
  readonly bytes: number;
  readonly lane?: string;
  readonly tenant?: string;
  /** When it arrived, as ISO 8601. */
  readonly arrivedAt: string;
  readonly sloMs: number;
  /** How it ended; "open" before that. */
  readonly outcome: string;
  readonly tookMs?: number;
  readonly parts: readonly StoryPart[];
  readonly steps: readonly StoryStep[];
}

/** One line of a list. */
export type ListedRequest = Pick<KeptStory, "id" | "outcome" | "tookMs" | "arrivedAt">;

/** Why there is no story. */
export interface NoStory {
  readonly why: string;
}

export class RecentRequests implements QueueObserver {
  /** What ids of this run begin with; no two runs have the same. */
  readonly run: string;
  readonly #events: KeptEvents;
  readonly #turnedAway: TurnedAway[] = [];
  #turnedAwayCount = 0;
  /** What is added to a time of the queue's clock to have that of the wall. */
  #wallMs = 0;

  constructor(run: string = randomBytes(3).toString("hex"), mostBytes = usualBytes) {
    this.run = run;
    this.#events = new KeptEvents(mostBytes);
  }

  /** @param request its number in the run */
  idOf(request: number): string {
    return `${this.run}-${request}`;
  }

  observe(event: KeptEvent): void {
    if (event.kind === "timer") return;
    if (event.kind === "arrival") this.#wallMs = Date.now() - event.atMs;
    this.#events.push(event);
  }

  /**
   * A request was answered with an error before it came to the queue.
   *
   * @returns its id
   */
  turnedAway(error: unknown): string {
    const nth = this.#turnedAwayCount++;
    const message = String((error as Partial<Error> | undefined)?.message ?? error).slice(0, 500);
    this.#turnedAway.push({ kind: "turned-away", nth, at: new Date().toISOString(), message });
    if (this.#turnedAway.length > 1_000) this.#turnedAway.splice(0, 500);
    return `${this.run}-e${nth}`;
  }

  /**
   * What happened to the request with that id.
   *
   * @param id as its answer carried it, or its number in this run
   * @example
   * recent.story("c0ffee-17"); // { id: "c0ffee-17", outcome: "served", steps: [{ sinceMs: 0, kind: "arrival", … }], … }
   */
  story(id: string): KeptStory | TurnedAway | NoStory {
    const [, run = this.run, early, digits] = /^(?:([0-9a-f]{6})-)?(e?)(\d{1,15})$/.exec(id) ?? [];
    if (digits === undefined)
      return { why: `no id of a request: ${id.slice(0, 60)}; allowed: such as ${this.idOf(17)}` };
    if (run !== this.run) return { why: `${id} is of another run; this one is ${this.run}` };
    const number = Number(digits);
    if (early === "e")
      return this.#turnedAway.find(({ nth }) => nth === number) ?? { why: `${id} is no longer kept` };
    return this.#storyOf(number) ?? { why: this.#whyNot(number) };
  }

  /**
   * The requests that ended last, the latest first.
   *
   * @param only "lost" for those alone that were not answered in time
   */
  list(only?: "lost"): ListedRequest[] {
    const listed: ListedRequest[] = [];
    const ended = new Map<number, QueueEvent & { kind: "end" }>();
    const events = this.#events;
    for (let at = events.next - 1; at >= events.first && listed.length < mostListed; at--) {
      const event = events.at(at);
      if (event.kind === "end") {
        if (only === undefined || (event.outcome !== "served" && event.outcome !== "cancelled"))
          ended.set(event.id, event);
      } else if (event.kind === "arrival") {
        const end = ended.get(event.id);
        if (end === undefined) continue;
        const tookMs = round(end.atMs - event.atMs);
        listed.push({
          id: this.idOf(event.id),
          outcome: end.outcome,
          tookMs,
          arrivedAt: this.#wallTime(event.atMs),
        });
      }
    }
    return listed;
  }

  #storyOf(id: number): KeptStory | undefined {
    let arrival: ArrivalEvent | undefined;
    let end: (QueueEvent & { kind: "end" }) | undefined;
    let plan: PlanRecord | undefined;
    const batches = new Set<number>();
    const parts: StoryPart[] = [];
    const events: KeptEvent[] = [];
    for (let at = this.#events.first; at < this.#events.next && end === undefined; at++) {
      if (!this.#events.mayConcern(at, id)) continue;
      const event = this.#events.at(at);
      if (arrival === undefined) {
        if (event.kind === "plan" && event.isAdopted) plan = event;
        if (event.kind === "arrival" && event.id === id) arrival = event;
        continue;
      }
      if (!concerns(event, arrival, batches)) continue;
      events.push(event);
      if (event.kind === "batch") {
        batches.add(event.id);
        parts.push(...partsIn(event, arrival));
      } else if (event.kind === "end") end = event;
    }
    if (arrival === undefined) return undefined;
    const { atMs: arrivedAtMs, key, rows, bytes, sloMs, lane, tenant } = arrival;
    const first = arrivalSteps(arrival, plan?.key === key ? plan : undefined);
    return {
      id: this.idOf(id),
      request: id,
      model: modelOfKey(key),
      rows,
      bytes,
      ...(lane !== undefined && { lane }),
      ...(tenant !== undefined && { tenant }),
      arrivedAt: this.#wallTime(arrivedAtMs),
      sloMs,
      outcome: end?.outcome ?? "open",
      ...(end !== undefined && { tookMs: round(end.atMs - arrivedAtMs) }),
      parts,
      steps: [...first, ...events.flatMap((event) => stepOf(event, arrival, events))],
    };
  }

  #whyNot(id: number): string {
    const none = `no request ${this.idOf(id)} is kept`;
    for (let at = this.#events.first; at < this.#events.next; at++) {
      const event = this.#events.at(at);
      if (event.kind === "arrival") return `${none}; the oldest is ${this.idOf(event.id)}`;
    }
    return `${none}: there was none yet`;
  }

  #wallTime(atMs: number): string {
    return new Date(this.#wallMs + atMs).toISOString();
  }
}

function arrivalSteps({ sloMs }: ArrivalEvent, plan: PlanRecord | undefined): StoryStep[] {
  const text = `It arrived. It has to be answered within ${sloMs} ms.`;
  const planned = plan === undefined ? "" : ` The plan in force: ${plan.text}.`;
  return [{ sinceMs: 0, kind: "arrival", text: text + planned }];
}

function stepOf(event: KeptEvent, arrival: ArrivalEvent, events: readonly KeptEvent[]): StoryStep[] {
  const text = eventText(event, arrival, events);
  if (text === "") return [];
  const why = "why" in event ? event.why : undefined;
  const saw = event.kind === "batch" ? event.saw : undefined;
  const sinceMs = round(event.atMs - arrival.atMs);
  return [{ sinceMs, kind: event.kind, text, ...(why && { why }), ...(saw && { saw }) }];
}

function partsIn(
  { id: batch, target, requests, ranges }: KeptEvent & { kind: "batch" },
  { id, rows }: ArrivalEvent,
): StoryPart[] {
  return requests.flatMap((each, index) =>
    each === id ? [{ batch, target, rows: ranges?.[index] ?? ([0, rows] as const) }] : [],
  );
}

function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
