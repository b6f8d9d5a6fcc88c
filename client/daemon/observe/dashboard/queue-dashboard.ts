/**
 * The dashboard of a daemon: it watches the queue, keeps a bounded history, and says what a page needs to show. While nobody
 * looks it counts and makes nothing else.
 *
 *     const dashboard = new QueueDashboard({ ... });
 *     dashboard.watchQueue(queue, policy);
 *     dashboard.streams.answer(context, mayStay);
 */
import { randomUUID } from "node:crypto";
import { EventStreams, type EventSource } from "../../../../base/dashboard/event-streams.ts";
import { modelOfKey } from "../../../policies/queue-key.ts";
import type { Policy, TargetBelief } from "../../../policies/policy.ts";
import type { PredictionError } from "../../../policies/policy-inputs.ts";
import type { QueueEvent } from "../../../queue/queue-event.ts";
import type { SpendStatus } from "../../../targets/spend-cap.ts";
import type { TargetCondition } from "../../../targets/target-state.ts";
import type { TargetKind } from "../../../targets/target.ts";
import type { PlanRecord, QueueObserver } from "../observer.ts";
import { ChangeLog } from "./change-log.ts";
import { LastDecisions } from "./last-decisions.ts";
import { QueueHistory } from "./history.ts";
import { Snapshot } from "./snapshot.ts";
import { TargetWatchbook } from "./target-watchbook.ts";
import type { WireDecisionDetail } from "./wire.ts";

/** A target, and how people find it. */
export interface ShownTarget {
  readonly name: string;
  readonly kind: TargetKind;
  readonly at: string;
}

export interface QueueDashboardOptions {
  readonly sloMs: number;
  /** Null where the policy aims at none. */
  readonly sloQuantile: number | null;
  readonly policy: string;
  /** By name, the time from arrival to deadline. */
  readonly lanes: Readonly<Record<string, number>>;
  readonly spend: () => SpendStatus;
  /** Those that there are now. */
  readonly targets: () => readonly ShownTarget[];
  /** Looks whether targets can be reached, which may take a while; asked while somebody looks. */
  readonly look: () => Promise<
    readonly { readonly name: string; readonly isReachable: boolean | undefined; readonly why?: string }[]
  >;
  /** Tells it what has happened until now, before somebody looks. Default: it is told everything at once. */
  readonly catchUp?: () => void;
  /** Monotonic time as in the queue's events, and the time since 1970. */
  readonly nowMs: () => number;
  readonly unixMs?: () => number;
  /** Time between two messages of a stream. Default: a second. */
  readonly everyMs?: number;
}

/** The part of a queue that is looked at. */
export interface WatchedQueue {
  targetHealth(): readonly TargetCondition[];
}

/** How often the targets are looked at, prices asked again, and edges asked whether they can be reached. */
const sampleMs = 1_000;
const priceEveryMs = 30_000;
const lookEveryMs = 5_000;
/** Prices that are worked out at a sample: each takes as long as a plan. */
const mostPrices = 2;

export class QueueDashboard implements QueueObserver, EventSource {
  readonly streams: EventStreams;
  readonly history: QueueHistory;
  readonly decisions: LastDecisions;
  readonly changes = new ChangeLog();
  readonly book = new TargetWatchbook();
  readonly options: QueueDashboardOptions;
  readonly boot = randomUUID();
  readonly startedUnixMs: number;
  readonly #unixMs: () => number;
  readonly #snapshot: Snapshot;
  #queue: WatchedQueue | undefined;
  #policy: Pick<Policy, "beliefs"> | undefined;
  #state: "starting" | "serving" | "closing" = "starting";
  #timer: NodeJS.Timeout | undefined;
  #lookedAtMs = -Infinity;
  #unreachable: ReadonlyMap<string, { readonly why: string | undefined; readonly sinceMs: number }> =
    new Map();
  #decisionVersion = 0;
  #changeVersion = 0;
  #fineSent = -1;
  #coarseSent = -1;

  constructor(options: QueueDashboardOptions) {
    const { nowMs, unixMs = Date.now, everyMs = 1_000, lanes } = options;
    this.options = options;
    this.#unixMs = unixMs;
    this.startedUnixMs = unixMs();
    this.history = new QueueHistory(Object.keys(lanes));
    this.decisions = new LastDecisions(this.history);
    this.streams = new EventStreams({ source: this, nowMs, everyMs });
    this.#snapshot = new Snapshot(this);
  }

  get state(): "starting" | "serving" | "closing" {
    return this.#state;
  }

  get conditions(): readonly TargetCondition[] {
    return this.#queue?.targetHealth() ?? [];
  }

  /** Targets that did not answer when they were asked of late. */
  get unreachable(): ReadonlyMap<string, { readonly why: string | undefined; readonly sinceMs: number }> {
    return this.#unreachable;
  }

  /** What the policy believes of its targets for the main key. */
  beliefs(): { readonly model: string; readonly of: readonly TargetBelief[] } {
    const key = this.history.mainKey(this.options.nowMs());
    if (key === undefined) return { model: "", of: [] };
    return { model: modelOfKey(key), of: this.#policy?.beliefs?.(key)?.targets ?? [] };
  }

  /** From now on there is a queue. */
  watchQueue(queue: WatchedQueue, policy: Pick<Policy, "beliefs">): void {
    this.#queue = queue;
    this.#policy = policy;
    this.#state = "serving";
    this.#timer = setInterval(() => this.#sample(), sampleMs).unref();
    // So that the first page does not call well what nobody has asked yet.
    this.#look();
  }

  observe(event: QueueEvent | PlanRecord): void {
    this.decisions.observe(event);
    this.history.observe(event);
    this.changes.observe(event);
  }

  /** A batch has come back, off by so much from what the policy expected. */
  predicted({ target, of, errorMs }: PredictionError): void {
    this.book.predicted(target, of, errorMs);
  }

  /** The daemon takes nothing new. */
  retire(): void {
    this.#state = "closing";
  }

  close(): void {
    clearInterval(this.#timer);
    this.streams.close();
  }

  /** A moment of the queue's clock in milliseconds since 1970. */
  readonly unixOf = (atMs: number): number => Math.round(this.#unixMs() - this.options.nowMs() + atMs);

  detail(id: number): WireDecisionDetail | undefined {
    this.options.catchUp?.();
    return this.decisions.detail(id, this.unixOf);
  }

  first(): string {
    this.#look();
    return JSON.stringify(this.#snapshot.full());
  }

  next(): string {
    this.#look();
    const { decisions, version } = this.decisions.since(this.#decisionVersion, this.unixOf);
    this.#decisionVersion = version;
    const changes = this.changes.since(this.#changeVersion, this.unixOf);
    this.#changeVersion = this.changes.version;
    const message = this.#snapshot.next(
      { fine: this.#fineSent, coarse: this.#coarseSent },
      changes,
      decisions,
    );
    this.#fineSent = this.history.fine.last;
    this.#coarseSent = this.history.coarse.last;
    return JSON.stringify(message);
  }

  #sample(): void {
    const { history, options } = this;
    options.catchUp?.();
    const nowMs = options.nowMs();
    history.advance(nowMs);
    this.book.look(this.conditions, nowMs);
    for (const key of history.unpricedKeys(nowMs - priceEveryMs, mostPrices))
      history.setAloneCost(key, this.#policy?.beliefs?.(key)?.aloneCost(), nowMs);
  }

  /** Asks now and then whether targets can be reached: one that is not used says nothing by itself. */
  #look(): void {
    this.options.catchUp?.();
    const nowMs = this.options.nowMs();
    this.history.advance(nowMs);
    if (nowMs - this.#lookedAtMs < lookEveryMs || this.#queue === undefined) return;
    this.#lookedAtMs = nowMs;
    void this.options.look().then((reports) => {
      const known = this.#unreachable;
      const away = reports.filter(({ isReachable }) => isReachable === false);
      this.#unreachable = new Map(
        away.map(({ name, why }) => [name, { why, sinceMs: known.get(name)?.sinceMs ?? nowMs }]),
      );
    });
  }
}
