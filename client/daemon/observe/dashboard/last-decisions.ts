/** The last decisions of the queue, each with its reason, what the policy saw, and how it ended; a bounded number. */
import { shortened } from "../../../../base/error-text.ts";
import { figure } from "../../../../base/figures.ts";
import { TurnoverMap } from "../../../../base/memory/turnover-map.ts";
import { modelOfKey } from "../../../policies/queue-key.ts";
import type { QueueEvent, QueueInput, QueueOutput } from "../../../queue/queue-event.ts";
import { decisionFacts, type DecisionEvent, reasonOf, seenBy, shortReason } from "./decision-text.ts";
import type { WireDecision, WireDecisionDetail } from "./wire.ts";

/** Decisions that are shown, and that can be opened: a page that is held still shows older ones. */
const mostShown = 100;
const mostKept = 300;
/** Most changes of a message. */
const mostChanges = 25;
const longestError = 300;

interface Kept {
  readonly id: number;
  readonly event: DecisionEvent;
  readonly kind: WireDecision["kind"];
  readonly model: string;
  requests: number;
  rows: number;
  result: WireDecision["result"];
  /** Of its last change. */
  version: number;
}

interface OpenRequests {
  openRequest(id: number): { readonly model: string; readonly rows: number } | undefined;
}

export class LastDecisions {
  readonly #requests: OpenRequests;
  readonly #kept = new TurnoverMap<number, Kept>();
  readonly #batches = new TurnoverMap<number, Kept>();
  #next = 1;
  #version = 0;

  /** @param requests those that have not ended */
  constructor(requests: OpenRequests) {
    this.#requests = requests;
  }

  /** To be called before the request of an `end` is forgotten. */
  observe(event: QueueEvent | { readonly kind: "plan" }): void {
    switch (event.kind) {
      case "batch":
        this.#sent(event);
        break;
      case "result":
        this.#ended(event);
        break;
      case "refusal":
        this.#keep(event, "not admitted", shortened(modelOfKey(event.key)), 0, 0);
        break;
      case "postponed":
        this.#ofRequest(event, "postponed", event.id);
        break;
      case "end":
        if (event.outcome === "refused") this.#ofRequest(event, "refused", event.id);
        break;
      default:
    }
  }

  /** The last ones, the newest first. */
  shown(unixOf: (atMs: number) => number): WireDecision[] {
    const newest = [...this.#kept.values()].slice(-mostShown).toReversed();
    return newest.map((kept) => wireOf(kept, unixOf));
  }

  /** Those that came or changed after that version, the newest first, and the version now. */
  since(version: number, unixOf: (atMs: number) => number): { decisions: WireDecision[]; version: number } {
    const changed = [...this.#kept.values()].filter((kept) => kept.version > version);
    const decisions = changed
      .slice(-mostChanges)
      .toReversed()
      .map((kept) => wireOf(kept, unixOf));
    return { decisions, version: this.#version };
  }

  detail(id: number, unixOf: (atMs: number) => number): WireDecisionDetail | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    const { event, requests, rows, result } = kept;
    const facts = decisionFacts(event, { requests, rows });
    return {
      ...wireOf(kept, unixOf),
      reason: reasonOf(event),
      facts: [...facts, ...resultFacts(result)],
      targets: seenBy(event),
    };
  }

  #sent(event: QueueOutput & { kind: "batch" }): void {
    const requests = new Set(event.requests).size;
    const kept = this.#keep(event, "sent", shortened(modelOfKey(event.key)), requests, event.rows);
    this.#batches.set(event.id, kept);
  }

  #ended(event: QueueInput & { kind: "result" }): void {
    const kept = this.#batches.get(event.batch);
    if (kept === undefined) return;
    this.#batches.delete(event.batch);
    const tookMs = event.atMs - kept.event.atMs;
    const { cost = 0 } = event;
    const lost = event.unanswered?.length ?? 0;
    const message = event.ok ? event.unanswered?.[0]?.message : event.message;
    const which = event.ok && lost > 0 ? `${lost} of ${kept.requests} requests: ` : "";
    const error = message === undefined ? {} : { error: which + cut(message) };
    kept.result = { isOk: event.ok && lost === 0, tookMs, cost, ...error };
    kept.version = ++this.#version;
  }

  /** Requests that end together for the same reason are one decision. */
  #ofRequest(event: DecisionEvent, kind: WireDecision["kind"], id: number): void {
    const { model = "", rows = 0 } = this.#requests.openRequest(id) ?? {};
    const last = this.#kept.get(this.#next - 1);
    const isOne =
      last?.kind === kind &&
      last.event.atMs === event.atMs &&
      last.model === model &&
      reasonOf(last.event) === reasonOf(event);
    if (!isOne) this.#keep(event, kind, model, 1, rows);
    else {
      last.requests++;
      last.rows += rows;
      last.version = ++this.#version;
    }
  }

  #keep(
    event: DecisionEvent,
    kind: WireDecision["kind"],
    model: string,
    requests: number,
    rows: number,
  ): Kept {
    const id = this.#next++;
    const kept = { id, event, kind, model, requests, rows, result: null, version: ++this.#version };
    this.#kept.set(id, kept);
    this.#kept.delete(id - mostKept);
    return kept;
  }
}

function wireOf(
  { id, event, kind, model, requests, rows, result }: Kept,
  unixOf: (atMs: number) => number,
): WireDecision {
  const target = "target" in event ? { target: event.target } : {};
  const atUnixMs = unixOf(event.atMs);
  return { id, atUnixMs, kind, model, requests, rows, ...target, short: shortReason(event), result };
}

function resultFacts(result: WireDecision["result"]): [string, string][] {
  if (result === null) return [["Result", "not there yet"]];
  const { isOk, tookMs, cost, error } = result;
  const facts: [string, string][] = [[isOk ? "Answered after" : "Failed after", `${figure(tookMs)} ms`]];
  if (cost > 0) facts.push(["Cost", figure(cost)]);
  if (error !== undefined) facts.push(["Error", error]);
  return facts;
}

function cut(message: string): string {
  return message.length > longestError ? `${message.slice(0, longestError)}…` : message;
}
