/**
 * The daemon around the virtual queue. It has no door of its own: every ingress hands its requests to `submit`.
 *
 *     const daemon = openDaemon(options, log);
 *     await daemon.start(stop);
 *     const { answer, target } = await daemon.submit({ model: "ocr-cls", request, bytes }, callerLeft);
 *     await daemon.close();
 */
import { SpillwayError } from "../../base/errors.ts";
import type { Abortable } from "../../base/program/hang-up.ts";
import type { InferRequest, InferResponse } from "../../protocol/message.ts";
import type { Served } from "../queue/request.ts";
import type { VirtualQueue } from "../queue/virtual-queue.ts";
import type { SharedAllowance, SpendStatus } from "../targets/spend-cap.ts";
import type { ModelCall } from "../transports/model-call.ts";
import { type DaemonRequest, inRows, leftMsOf, type RequestRoute, submissionOf } from "./daemon-request.ts";
import { type DaemonHealth, type DaemonStatus, nowOf } from "./daemon-health.ts";
import { type DaemonLanes, type LaneHints, tenantOf } from "./lanes.ts";
import type { LaneLoad } from "../queue/lanes/lanes.ts";
import { padded, type PadRule } from "./joining/padding.ts";
import type { BatchRules, RequestRule } from "./joining/batch-rules.ts";
import type { ModelDirectory } from "./model-directory.ts";
import { ModelNames } from "./model-names.ts";
import type { TargetChanges } from "./targets/target-changes.ts";
import type { TargetWatch } from "./target-watch.ts";
import type { QueueDashboard } from "./observe/dashboard/queue-dashboard.ts";
import type { LaneGoals, LaneReport } from "./observe/lane-goals.ts";
import type { QueueMetrics } from "./observe/metrics.ts";
import type { Tracing } from "./observe/tracing.ts";
import type { QueueStatistics } from "./observe/queue-statistics.ts";
import { RecentRequests } from "./observe/why/recent-requests.ts";

/** When a caller that came too early may come again: measuring takes about so long. */
const startingMs = 5_000;
/** Longest time of a request that goes by a route: best-effort lanes have no end. */
const longestMs = 86_400_000;

export type DaemonQueue = VirtualQueue<ModelCall, InferResponse>;

/** What a daemon is made of. */
export interface DaemonParts {
  /** Time from arrival to deadline of a request that has no `timeout` of its own. */
  readonly sloMs: number;
  readonly models: ModelDirectory;
  readonly metrics: QueueMetrics;
  readonly statistics: QueueStatistics;
  /** What `/dashboard` shows; undefined: there is none. */
  readonly dashboard?: QueueDashboard;
  /** The stories of recent requests; it observes the queue. Default: none are kept. */
  readonly recent?: RecentRequests;
  /** Undefined: no spans are made. */
  readonly tracing?: Pick<Tracing, "begin"> | undefined;
  readonly lanes: DaemonLanes;
  /** How lanes keep what they promise. Default: nobody watches. */
  readonly goals?: LaneGoals;
  /** By model, which inputs are padded. Default: none. */
  readonly padding?: ReadonlyMap<string, readonly PadRule[]>;
  /** Which requests may share a batch. */
  readonly rules: Pick<BatchRules, "of" | "all" | "learn" | "ruleFor" | "answered" | "answeredAlone">;
  /** Extensions of the protocol that every edge has and that work through the queue. */
  extensions?(): readonly string[];
  /** Measures the targets and makes the queue; `stop` ends the measuring early. */
  startQueue(stop: AbortSignal): Promise<DaemonQueue>;
  /** What functions cost of late. */
  spend(): SpendStatus;
  /** Has the limits of money hold for several daemons together; tells what the longest call costs. */
  shareSpend?(allowance: SharedAllowance): number;
  /** Adds and removes edges; undefined: nobody may. */
  readonly targets?: TargetChanges;
  /** Which targets can be reached; undefined: nobody looks. */
  readonly watch?: Pick<TargetWatch, "look">;
  /** Lets go of connections and files once the queue is drained; `queue` is undefined when it never started. */
  release(queue: DaemonQueue | undefined): Promise<void>;
}

export class Daemon {
  /** Which models there are and what they take. */
  readonly models: ModelDirectory;
  /** Under which names they are queued. */
  readonly names: ModelNames;
  /** For a scrape at any time. */
  readonly metrics: QueueMetrics;
  readonly statistics: QueueStatistics;
  readonly recent: RecentRequests;
  /** What it waits for before it measures its targets. */
  startsAfter: string | undefined;
  readonly #parts: DaemonParts;
  #queue: DaemonQueue | undefined;
  #route: RequestRoute | undefined;

  constructor(parts: DaemonParts) {
    this.models = parts.models;
    this.names = new ModelNames(parts.models);
    this.metrics = parts.metrics;
    this.statistics = parts.statistics;
    this.recent = parts.recent ?? new RecentRequests();
    this.#parts = parts;
  }

  /**
   * Resolves when requests are taken.
   *
   * @param port that it listens on, where that is not the one of the options
   */
  async start(stop: AbortSignal, port?: number): Promise<void> {
    this.#queue = await this.#parts.startQueue(stop);
    this.targets?.start(this.#queue, port);
  }

  /** Takes nothing new, and resolves when every request has ended and all resources are released. */
  async close(): Promise<void> {
    const queue = this.#queue;
    this.targets?.stop();
    this.dashboard?.retire();
    if (queue !== undefined) await new Promise<void>((drained) => queue.close(drained));
    this.dashboard?.close();
    await this.#parts.release(queue);
  }

  /** The metrics, as the text of a scrape. */
  async scrape(): Promise<string> {
    const more = (await this.#route?.scrape?.()) ?? "";
    return (await this.metrics.text()) + ((await this.#parts.goals?.text()) ?? "") + more;
  }

  /** What happened to a request, wherever its story is kept; an object with `why` where nobody knows. */
  async story(id: string): Promise<object> {
    const own = this.recent.story(id);
    return "why" in own ? ((await this.#route?.story?.(id).catch(() => undefined)) ?? own) : own;
  }

  status(): DaemonStatus {
    const queue = this.#queue;
    const reports = this.#parts.goals?.reports() ?? {};
    const lanes: Record<string, LaneLoad & Partial<LaneReport>> = {};
    for (const [name, load] of Object.entries(queue?.lanes ?? {}))
      lanes[name] = { ...load, ...reports[name] };
    return {
      isReady: queue?.isReady ?? false,
      lanes,
      spend: this.#parts.spend(),
    };
  }

  /** Looks at the edges, which takes a second at most, and says whether anything can serve. */
  async health(): Promise<DaemonHealth> {
    const queue = this.#queue;
    const reports = (await this.#parts.watch?.look()) ?? [];
    const seen = queue?.targetHealth() ?? [];
    const targets = reports.map((report) => nowOf(report, seen));
    if (queue === undefined) {
      const reason = this.startsAfter ?? "the targets are being measured";
      return { isReady: false, reason, targets };
    }
    const route = this.#route;
    // By a route others may serve what the own targets cannot.
    if (route !== undefined) {
      const reason = route.whyNot();
      return reason === undefined ? { isReady: true, targets } : { isReady: false, reason, targets };
    }
    // A function may be called; that it did not answer once says little.
    const canReach =
      targets.length === 0 ||
      targets.some(({ kind, isReachable }) => kind === "serverless" || isReachable !== false);
    if (queue.isReady && canReach) return { isReady: true, targets };
    const reasons = targets
      .map(({ name, why = "it is paused" }) => (why.startsWith(`${name}: `) ? why : `${name}: ${why}`))
      .join("; ");
    return { isReady: false, reason: reasons || "every target is paused, or the queue is closing", targets };
  }

  /** What is known of joining requests, by model. */
  get rules(): Pick<BatchRules, "of" | "all"> {
    return this.#parts.rules;
  }

  get dashboard(): QueueDashboard | undefined {
    return this.#parts.dashboard;
  }

  get targets(): TargetChanges | undefined {
    return this.#parts.targets;
  }

  /** Whether the rows of a request may be sent apart, and how many together; asks the edges where nothing is known yet. */
  async ruleFor(model: string, request: InferRequest): Promise<RequestRule> {
    const { rules } = this.#parts;
    if (!rules.of(model).isKnown) await rules.learn(model);
    return rules.ruleFor(model, request);
  }

  /** @throws ProtocolError when what a caller says of lane and tenant cannot be, whatever its request is */
  checkHints(hints: LaneHints): void {
    const request = { parameters: {}, inputs: [] };
    this.#parts.lanes.laneOf(request, hints);
    tenantOf(request, hints);
  }

  get extensions(): readonly string[] {
    return this.#parts.extensions?.() ?? [];
  }

  /**
   * Tells before a request is read whether it makes sense to read it, and under which name its model is queued. Rejects
   * with `queue_starting` before the daemon has started, and with `model_not_found` for a model that no target serves.
   *
   * @param model undefined: the default one
   */
  async findModel(model: string | undefined, version?: string): Promise<string> {
    this.#startedQueue();
    try {
      return await this.names.resolve(model ?? (await this.names.defaultModel()), version);
    } catch (error) {
      if (model === undefined || version !== undefined) throw error;
      if (await this.#route?.knows(model).catch(() => false)) return model;
      throw error;
    }
  }

  /** The same at once, where it is known without a question; undefined: it is not, or the daemon has not started. */
  knownModel = (model: string): string | undefined =>
    this.#queue !== undefined && this.models.isKnown(model) ? model : undefined;

  /** From now on functions are paid out of what several daemons may spend together. Tells what the longest call costs. */
  shareSpend(allowance: SharedAllowance): number {
    return this.#parts.shareSpend?.(allowance) ?? 0;
  }

  /** From now on requests are submitted to `route`. */
  sendBy(route: RequestRoute): void {
    this.#route = route;
  }

  /**
   * Resolves with the answer; rejects with a SpillwayError, which says when to come back where that is known.
   *
   * @param callerLeft cancels the request
   */
  async submit(call: DaemonRequest, callerLeft: Abortable): Promise<Served<InferResponse>> {
    if (this.#route === undefined) return this.submitHere(call, callerLeft);
    const { lanes, sloMs } = this.#parts;
    const usualMs = lanes.sloMsOf(lanes.laneOf(call.request, call.hints ?? {})) ?? sloMs;
    return this.#route.submit(call, Math.min(leftMsOf(call, usualMs), longestMs), callerLeft);
  }

  /** The same, to the daemon's own queue whatever route others take. */
  async submitHere(call: DaemonRequest, callerLeft: Abortable): Promise<Served<InferResponse>> {
    const queue = this.#startedQueue();
    // While its model was looked up or its body was read.
    if (callerLeft.aborted) throw new SpillwayError("cancelled");
    const { rules, statistics, metrics, lanes, padding, tracing } = this.#parts;
    const { model, hints = {} } = call;
    const request = padded(call.request, padding?.get(model));
    const rule = rules.ruleFor(model, request);
    const lane = lanes.laneOf(request, hints);
    const usualMs = lanes.sloMsOf(lane) ?? this.#parts.sloMs;
    const isFinalAnywhere = this.models.isAlikeEverywhere(model);
    const span = tracing?.begin({ model, lane, rows: rule.rows ?? 1, caller: hints.trace });
    const traced = { ...call, request, hints: { ...hints, trace: span?.context ?? hints.trace } };
    const submission = submissionOf(traced, { lane, rule, usualMs, isFinalAnywhere });
    statistics.announce(model, rule.rows ?? 1);
    metrics.announce(model);
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        queue.cancel(ticket);
      };
      const ticket = queue.submit(submission, (end) => {
        span?.end(end);
        callerLeft.removeEventListener("abort", cancel);
        if ("error" in end) return reject(this.#withRetryTime(end.error));
        resolve(inRows(end, rule.unitRows));
        rules.answered(model, request, end.answer);
        if (end.parts === undefined && (!rule.joins || end.batchRows === rule.rows))
          rules.answeredAlone(model, request, end.answer);
      });
      call.onNumber?.(ticket.id);
      callerLeft.addEventListener("abort", cancel);
    });
  }

  #startedQueue(): DaemonQueue {
    if (this.#queue !== undefined) return this.#queue;
    throw new SpillwayError("queue_starting", undefined, { retryAfterMs: startingMs });
  }

  /** Every request that waits now has ended after one SLO, so a full queue, or a load that is too high, has room then. */
  #withRetryTime(error: SpillwayError): SpillwayError {
    const isForNow = error.code === "queue_full" || error.code === "overloaded";
    if (!isForNow || error.retryAfterMs !== undefined) return error;
    return new SpillwayError(error.code, error.message, { retryAfterMs: this.#parts.sloMs });
  }
}
