/**
 * The daemon around the virtual queue. It has no door of its own: every ingress hands its requests to `submit`.
 *
 *     const daemon = openDaemon(options, log);
 *     await daemon.start(stop);
 *     const { answer, target } = await daemon.submit({ model: "ocr-cls", request, bytes }, callerLeft);
 *     await daemon.close();
 */
import { SpillwayError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, timeoutUsOf } from "../../protocol/message.ts";
import { queueKey } from "../policies/queue-key.ts";
import type { Served, Submission } from "../queue/request.ts";
import type { VirtualQueue } from "../queue/virtual-queue.ts";
import type { TargetCondition } from "../targets/target-state.ts";
import type { SpendStatus } from "../targets/spend-cap.ts";
import type { ModelCall } from "../transports/model-call.ts";
import { type DaemonLanes, type LaneHints, tenantOf } from "./lanes.ts";
import type { LaneLoad } from "../queue/lanes/lanes.ts";
import { padded, type PadRule } from "./joining/padding.ts";
import type { BatchRules, RequestRule } from "./joining/batch-rules.ts";
import type { ModelDirectory } from "./model-directory.ts";
import { ModelNames } from "./model-names.ts";
import type { TargetChanges } from "./targets/target-changes.ts";
import type { TargetReport, TargetWatch } from "./target-watch.ts";
import type { QueueMetrics } from "./observe/metrics.ts";
import type { QueueStatistics } from "./observe/queue-statistics.ts";

/** When a caller that came too early may come again: measuring takes about so long. */
const startingMs = 5_000;

export type DaemonQueue = VirtualQueue<ModelCall, InferResponse>;

/** What a daemon is made of. */
export interface DaemonParts {
  /** Time from arrival to deadline of a request that has no `timeout` of its own. */
  readonly sloMs: number;
  readonly models: ModelDirectory;
  readonly metrics: QueueMetrics;
  readonly statistics: QueueStatistics;
  readonly lanes: DaemonLanes;
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
  /** Adds and removes edges; undefined: nobody may. */
  readonly targets?: TargetChanges;
  /** Which targets can be reached; undefined: nobody looks. */
  readonly watch?: Pick<TargetWatch, "look">;
  /** Lets go of connections and files once the queue is drained; `queue` is undefined when it never started. */
  release(queue: DaemonQueue | undefined): Promise<void>;
}

export interface DaemonStatus {
  /** True when a request that is submitted now can be served. */
  readonly isReady: boolean;
  /** What each lane holds, by name, with "" for requests without a lane. */
  readonly lanes: Readonly<Record<string, LaneLoad>>;
  readonly spend: SpendStatus;
}

/** A target now, with its health as the queue sees it by the batches that it sent once there is a queue. */
export interface TargetNow
  extends TargetReport, Partial<Pick<TargetCondition, "health" | "pausedForMs" | "inFlight">> {}

export interface DaemonHealth {
  /** True when a request that is submitted now can be served, as far as that is known. */
  readonly isReady: boolean;
  /** Why it cannot be served. */
  readonly reason?: string;
  readonly targets: readonly TargetNow[];
}

/** One request as an ingress got it. */
export interface DaemonRequest {
  readonly model: string;
  readonly request: InferRequest;
  /** Size of the request as it came, for the bound of the queue. */
  readonly bytes: number;
  /** What its caller says of lane and tenant beside the request. Default: nothing. */
  readonly hints?: LaneHints;
  /** How long the caller waits, in milliseconds above 0. Default: for ever. */
  readonly withinMs?: number | undefined;
}

/** What the daemon knows of a request beside itself. */
interface SubmissionFacts {
  readonly lane: string | undefined;
  readonly rule: RequestRule;
  /** Time to the deadline of a request of its lane that says nothing of it. */
  readonly usualMs: number;
  readonly isFinalAnywhere: boolean;
}

export class Daemon {
  /** Which models there are and what they take. */
  readonly models: ModelDirectory;
  /** Under which names they are queued. */
  readonly names: ModelNames;
  /** For a scrape at any time. */
  readonly metrics: QueueMetrics;
  readonly statistics: QueueStatistics;
  readonly #parts: DaemonParts;
  #queue: DaemonQueue | undefined;

  constructor(parts: DaemonParts) {
    this.models = parts.models;
    this.names = new ModelNames(parts.models);
    this.metrics = parts.metrics;
    this.statistics = parts.statistics;
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
    if (queue !== undefined) await new Promise<void>((drained) => queue.close(drained));
    await this.#parts.release(queue);
  }

  status(): DaemonStatus {
    const queue = this.#queue;
    return { isReady: queue?.isReady ?? false, lanes: queue?.lanes ?? {}, spend: this.#parts.spend() };
  }

  /** Looks at the edges, which takes a second at most, and says whether anything can serve. */
  async health(): Promise<DaemonHealth> {
    const queue = this.#queue;
    const reports = (await this.#parts.watch?.look()) ?? [];
    const seen = queue?.targetHealth() ?? [];
    const targets = reports.map((report) => nowOf(report, seen));
    if (queue === undefined) return { isReady: false, reason: "the targets are being measured", targets };
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
    return this.names.resolve(model ?? (await this.names.defaultModel()), version);
  }

  /**
   * Resolves with the answer; rejects with a SpillwayError, which says when to come back where that is known.
   *
   * @param callerLeft cancels the request
   * @param onQueued is told the request's number in the queue
   */
  async submit(
    call: DaemonRequest,
    callerLeft: AbortSignal,
    onQueued?: (id: number) => void,
  ): Promise<Served<InferResponse>> {
    const queue = this.#startedQueue();
    // While its model was looked up or its body was read.
    if (callerLeft.aborted) throw new SpillwayError("cancelled");
    const { rules, statistics, lanes, padding } = this.#parts;
    const { model, hints = {} } = call;
    const request = padded(call.request, padding?.get(model));
    const rule = rules.ruleFor(model, request);
    const lane = lanes.laneOf(request, hints);
    const usualMs = lanes.sloMsOf(lane) ?? this.#parts.sloMs;
    const isFinalAnywhere = this.models.isAlikeEverywhere(model);
    const submission = submissionOf({ ...call, request }, { lane, rule, usualMs, isFinalAnywhere });
    statistics.announce(model, rule.rows ?? 1);
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        queue.cancel(ticket);
      };
      const ticket = queue.submit(submission, (end) => {
        callerLeft.removeEventListener("abort", cancel);
        if ("error" in end) return reject(this.#withRetryTime(end.error));
        resolve(inRows(end, rule.unitRows));
        rules.answered(model, request, end.answer);
        if (end.parts === undefined && (!rule.joins || end.batchRows === rule.rows))
          rules.answeredAlone(model, request, end.answer);
      });
      callerLeft.addEventListener("abort", cancel);
      onQueued?.(ticket.id);
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

/** The queue counts a batch that the model is fixed at as one row. */
function inRows<Out>(end: Served<Out>, unitRows = 1): Served<Out> {
  if (end.parts === undefined || unitRows === 1) return end;
  const parts = end.parts.map(({ target, fromRow, toRow }) => {
    return { target, fromRow: fromRow * unitRows, toRow: toRow * unitRows };
  });
  return { ...end, parts, batchRows: end.batchRows * unitRows };
}

function nowOf(report: TargetReport, seen: readonly TargetCondition[]): TargetNow {
  const state = seen.find(({ name }) => name === report.name);
  if (state === undefined) return report;
  const { name: _, why = report.why, ...facts } = state;
  return { ...report, ...(why !== undefined && { why }), ...facts };
}

/**
 * A request's own `timeout` takes the place of the SLO, and its caller may wait for less than both. One that is sent alone counts as one row, because nothing is known
 * of how its time grows; one that may be split, with as many as it has units.
 */
function submissionOf(
  { model, request, bytes, hints = {}, withinMs = Infinity }: DaemonRequest,
  { lane, rule, usualMs, isFinalAnywhere }: SubmissionFacts,
): Submission<ModelCall> {
  const { joins, mostRows, hasRows, rows = 1, unitRows } = rule;
  const timeoutUs = timeoutUsOf(request);
  const sloMs = Math.min(timeoutUs === undefined ? usualMs : timeoutUs / 1_000, withinMs);
  const tenant = tenantOf(request, hints);
  return {
    payload: { model, request, rows, hasRows, unitRows },
    key: queueKey(model, request, joins ? mostRows : 1),
    rows: unitRows === undefined ? (joins ? rows : 1) : rows / unitRows,
    bytes,
    isFinalAnywhere,
    isSplittable: unitRows !== undefined,
    ...(lane !== undefined && { lane }),
    ...(tenant !== undefined && { tenant }),
    ...((timeoutUs !== undefined || sloMs < usualMs) && { sloMs }),
  };
}
