/**
 * The metrics of the queue for Prometheus. Labels are names of targets, lanes and API keys, of models that were served, and
 * words of fixed lists. Names beyond a bound share the label "other", so that the number of series is bounded whatever
 * callers send. What happens for every request costs a few additions to cells that were found before.
 */
import { errorKinds } from "../../../base/errors.ts";
import type { CallerCounts } from "../../../base/access/access-gate.ts";
import { callerCounter } from "../../../base/access/caller-counter.ts";
import { TurnoverMap } from "../../../base/memory/turnover-map.ts";
import { addLoopDelay } from "../../../base/program/loop-delay.ts";
import { Registry } from "../../../base/program/metric-registry.ts";
import type { PredictionError } from "../../policies/policy-inputs.ts";
import type { QueueEvent, QueueInput, QueueOutput, TargetFacts } from "../../queue/queue-event.ts";
import type { TargetCondition } from "../../targets/target-state.ts";
import type { ProofEnd } from "../joining/join-proofs.ts";
import { type LaneCells, type CountedOpenRequest, QueueCells, type TargetCells } from "./metrics/cells.ts";
import { timeBucketsS } from "./metrics/buckets.ts";
import { prefix, queueFamilies, type QueueFamilies } from "./metrics/families.ts";
import { OpenEntries } from "./metrics/open-entries.ts";
import { OverflowReasons } from "./metrics/overflow-reasons.ts";
import { addStateMetrics, type QueueState } from "./metrics/state-metrics.ts";
import type { PlanRecord, QueueObserver } from "./observer.ts";

/** Plans that follow a change, by what has changed. */
const changes = { changepoint: "rate", drift: "target", targets: "edges" } as const;

export interface QueueMetricsOptions extends Pick<QueueState, "spend"> {
  /** What is known of each model in use. Default: nothing. */
  readonly rules?: QueueState["rules"];
  /** Who is paid for functions. Default: "unknown". */
  readonly provider?: string;
  /** Time from arrival to deadline. Default: 1,000. */
  readonly sloMs?: number;
  /** By name, the time from arrival to deadline. Default: no lanes. */
  readonly lanes?: Readonly<Record<string, number>>;
}

type BatchSent = QueueOutput & { readonly kind: "batch" };
type BatchEnded = QueueInput & { readonly kind: "result" };

/** Remembers the requests that have not ended and the batches under way, and nothing else. */
export class QueueMetrics implements QueueObserver {
  readonly #registry = new Registry();
  readonly #families: QueueFamilies;
  readonly #cells: QueueCells;
  readonly #requests: OpenEntries<CountedOpenRequest>;
  readonly #batches = new TurnoverMap<number, { readonly sent: BatchSent; readonly target: TargetCells }>();
  readonly #provider: string;
  readonly #currency: () => string;
  #waitingRows = 0;
  #nextModel = "";
  #nowMs = 0;
  #callers: () => readonly CallerCounts[] = () => [];
  #conditions: () => readonly TargetCondition[] = () => [];
  #nowOfQueueMs: () => number = () => this.#nowMs;
  readonly #overflow: OverflowReasons;

  constructor({
    spend,
    rules = () => [],
    provider = "unknown",
    sloMs = 1_000,
    lanes = {},
  }: QueueMetricsOptions) {
    this.#provider = provider;
    let currency: string | undefined;
    this.#currency = () => (currency ??= spend().currency);
    const laneSlosS = Object.values(lanes).map((ms) => ms / 1_000);
    this.#families = queueFamilies(this.#registry, timeBucketsS(sloMs / 1_000, laneSlosS));
    const cells = (this.#cells = new QueueCells(this.#families, Object.keys(lanes)));
    const [lane, target] = [cells.lane(""), cells.none];
    this.#requests = new OpenEntries(() => {
      const rows = { rows: 0, waitingRows: 0, failedRows: 0 };
      return { id: -1, lane, model: "", arrivedAtMs: 0, target, ...rows, hasFailedAtEdge: false };
    });
    this.#families.postponed.of();
    this.#families.proofTime.of();
    this.#overflow = new OverflowReasons(this.#families.overflow, () => this.#conditions());
    for (const cause of Object.values(changes)) this.#families.changePoints.of(cause);
    addLoopDelay(this.#registry, `${prefix}event_loop_delay_seconds`);
    callerCounter(this.#registry, `${prefix}callers_total`, () => this.#callers());
    addStateMetrics(this.#registry, {
      spend,
      rules,
      slosMs: { "": sloMs, ...lanes },
      lanes: () => cells.lanes,
      targets: () => cells.targets,
      conditions: () => this.#conditions(),
      inFlightRequests: () =>
        this.#requests.size - cells.lanes.reduce((sum, { waitingRequests }) => sum + waitingRequests, 0),
      oldestWaitsMs: () => this.#oldestWaitsMs(),
    });
  }

  /** From now on there is a queue with these targets, which tells how they are. */
  watchQueue(
    targets: readonly Pick<TargetFacts, "name" | "kind">[],
    conditions: () => readonly TargetCondition[],
    nowMs: () => number,
  ): void {
    for (const target of targets) this.#targetAdded(target);
    this.#conditions = conditions;
    this.#nowOfQueueMs = nowMs;
  }

  /** From now on a scrape tells how the requests of each caller ended at the gate. */
  watchCallers(callers: () => readonly CallerCounts[]): void {
    this.#callers = callers;
  }

  /** The model of the request that is submitted next. */
  announce(model: string): void {
    this.#nextModel = model;
  }

  /** An inference request was answered over HTTP, also by an error. */
  answered(status: number): void {
    this.#families.answers.of(String(status)).value++;
  }

  /** Whether a request has rows that were not sent to a target; `id` is its number in the queue. */
  isWaiting(id: number): boolean {
    return (this.#requests.of(id)?.waitingRows ?? 0) > 0;
  }

  /** Adds the metrics of an ingress to each scrape. */
  extend(add: (registry: Registry) => void): void {
    add(this.#registry);
  }

  /** A proof that rows may be joined is over. */
  proofEnded({ result, tookMs }: ProofEnd): void {
    this.#families.proofs.of(result).value++;
    this.#families.proofTime.of().value += tookMs / 1_000;
  }

  /** A batch has come back that the policy had expectations of. */
  predicted({ target, of, errorMs }: PredictionError): void {
    const { name } = this.#cells.target(target);
    const sign = errorMs < 0 ? "shorter" : "longer";
    this.#families.predictionError.of(name, of, sign).observe(Math.abs(errorMs) / 1_000);
  }

  /** The text of a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  observe(event: QueueEvent | PlanRecord): void {
    this.#nowMs = event.atMs;
    switch (event.kind) {
      case "arrival":
        this.#arrived(event);
        break;
      case "batch":
        this.#batchSent(event);
        break;
      case "result":
        this.#batchEnded(event);
        break;
      case "end":
        this.#requestEnded(event);
        break;
      case "plan":
        this.#families.plans.of(event.cause, String(event.isAdopted)).value++;
        if (event.cause in changes)
          this.#families.changePoints.of(changes[event.cause as keyof typeof changes]).value++;
        break;
      case "refusal":
        this.#families.refusals.of(this.#cells.target(event.target).name, event.code).value++;
        break;
      case "postponed":
        this.#families.postponed.of().value++;
        break;
      case "target-added":
        this.#targetAdded(event.target);
        break;
      case "target-removed":
        this.#overflow.edges--;
        break;
      case "barred":
      case "cancel":
      case "timer":
      case "target-models":
      case "close":
        break;
    }
  }

  #targetAdded({ name, kind }: Pick<TargetFacts, "name" | "kind">): void {
    this.#cells.target(name).kind = kind;
    if (kind === "edge") this.#overflow.edges++;
  }

  #arrived({ id, lane = "", atMs, rows }: QueueInput & { readonly kind: "arrival" }): void {
    const request = this.#requests.add(id);
    request.lane = this.#cells.lane(lane);
    request.model = this.#nextModel;
    request.arrivedAtMs = atMs;
    request.target = this.#cells.none;
    request.rows = rows;
    request.waitingRows = 0;
    request.failedRows = 0;
    request.hasFailedAtEdge = false;
    this.#wait(request, rows);
  }

  /** So many rows of a request wait from now on; negative: no longer. */
  #wait(request: CountedOpenRequest, rows: number): void {
    const { lane } = request;
    const waitedBefore = request.waitingRows > 0;
    request.waitingRows += rows;
    lane.waitingRows += rows;
    this.#waitingRows += rows;
    lane.waitingRequests += Number(request.waitingRows > 0) - Number(waitedBefore);
  }

  #batchSent(sent: BatchSent): void {
    const { id, target: name, reason, rows, plannedRows, waitedMs, requests, ranges, atMs } = sent;
    const target = this.#cells.target(name);
    this.#batches.set(id, { sent, target });
    target.inFlight++;
    target.released(reason).value++;
    target.rows.observe(rows);
    target.fill.observe(Math.min(1, rows / plannedRows));
    target.releaseRows.observe(this.#waitingRows);
    target.releaseWait.observe(waitedMs / 1_000);
    const overflow = target.kind === "serverless" ? this.#overflow.now(atMs) : undefined;
    for (let index = 0; index < requests.length; index++) {
      const request = this.#requests.of(requests[index] as number);
      if (request === undefined) continue;
      const range = ranges?.[index];
      const ofRequest = range === undefined ? request.waitingRows : range[1] - range[0];
      if (request.target === this.#cells.none)
        request.lane.queueingTime.observe((atMs - request.arrivedAtMs) / 1_000);
      else if (request.failedRows > 0) {
        target.retries.value++;
        request.failedRows = Math.max(0, request.failedRows - ofRequest);
      }
      if (overflow !== undefined) (request.hasFailedAtEdge ? this.#overflow.failedThere : overflow).value++;
      request.target = target;
      this.#wait(request, -ofRequest);
    }
  }

  /** What was not answered waits again, or ends with the next events. */
  #batchEnded(event: BatchEnded): void {
    const batch = this.#batches.get(event.batch);
    if (batch === undefined) return;
    this.#batches.delete(event.batch);
    const { target, sent } = batch;
    target.inFlight--;
    target.batchTime.observe((event.atMs - sent.atMs) / 1_000);
    target.cameBack(event.ok ? "ok" : event.code).value++;
    if (event.ok) {
      if (event.serviceMs !== undefined) target.executionTime.observe(event.serviceMs / 1_000);
      if (event.coldStartMs !== 0) this.#families.coldStarts.of(target.name).value++;
    }
    if (event.cost !== undefined && target.kind === "serverless")
      target.cost(this.#provider, this.#currency).value += event.cost;
    if (event.ok && event.unanswered === undefined) return;
    this.#overflow.failed();
    const failed = event.ok ? new Set(event.unanswered?.map(({ index }) => index)) : undefined;
    for (const [index, id] of sent.requests.entries()) {
      const request = this.#requests.of(id);
      if (request === undefined || failed?.has(index) === false) continue;
      const range = sent.ranges?.[index];
      const rows = range === undefined ? request.rows : range[1] - range[0];
      request.failedRows += rows;
      request.hasFailedAtEdge ||= target.kind === "edge";
      this.#wait(request, rows);
    }
  }

  #requestEnded({ id, outcome, atMs, code }: QueueOutput & { readonly kind: "end" }): void {
    const request = this.#requests.of(id);
    if (request === undefined) return;
    const { lane, target, model, waitingRows } = request;
    if (waitingRows > 0) this.#wait(request, -waitingRows);
    lane.ended(outcome, target).value++;
    lane.time(outcome).observe((atMs - request.arrivedAtMs) / 1_000);
    this.#cells.modelEnded(model, outcome);
    this.#requests.delete(request);
    // Nobody could have served what is not allowed.
    if (outcome === "cancelled" || (code !== undefined && errorKinds[code].status < 500)) return;
    lane.sloRequests.value++;
    if (outcome !== "served") lane.sloMisses.value++;
  }

  #oldestWaitsMs(): ReadonlyMap<LaneCells, number> {
    const [nowMs, waits] = [this.#nowOfQueueMs(), new Map<LaneCells, number>()];
    for (const { lane, waitingRows, arrivedAtMs } of this.#requests.values())
      if (waitingRows > 0) waits.set(lane, Math.max(waits.get(lane) ?? 0, nowMs - arrivedAtMs));
    return waits;
  }
}
