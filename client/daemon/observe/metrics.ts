/**
 * The metrics of the queue for Prometheus. Labels are names of targets and words of fixed lists, never a model or a
 * key, which callers choose; so the number of series is bounded.
 */
import { addLoopDelay } from "../../../base/program/loop-delay.ts";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { CallerCounts } from "../../../base/access/access-gate.ts";
import { callerCounter } from "../../../base/access/caller-counter.ts";
import type { QueueEvent, QueueInput, QueueOutput } from "../../queue/queue-event.ts";
import type { SpendStatus } from "../../targets/spend-cap.ts";
import type { ModelRule } from "../joining/batch-rules.ts";
import type { ProofEnd } from "../joining/join-proofs.ts";
import type { PlanRecord, QueueObserver } from "./observer.ts";

/** Stands for the target of a request that was never sent. */
const noTarget = "none";
/** Targets whose names are labels; the others, which may come and go without end, share one. */
const mostTargets = 256;
const otherTarget = "other";
const latencyBucketsS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A request that has not ended. */
interface OpenRequest {
  readonly lane: string;
  readonly arrivedAtMs: number;
  /** The last target that it was sent to. */
  target: string;
  /** Of its rows. */
  waitingRows: number;
}

/** A batch under way. */
interface OpenBatch {
  readonly target: string;
  /** By part. */
  readonly requests: readonly number[];
  readonly rows: readonly number[];
}

/** Remembers the requests that have not ended and the batches under way, and nothing else. */
export class QueueMetrics implements QueueObserver {
  readonly #registry = new Registry();
  readonly #targets = new Set<string>([noTarget]);
  readonly #requests = new Map<number, OpenRequest>();
  readonly #batches = new Map<number, OpenBatch>();
  readonly #ends = this.#counter(
    "requests_total",
    "Requests by their lane, how they ended, and the last target they were sent to",
    ["outcome", "target", "lane"],
  );
  readonly #sent = this.#counter("batches_total", "Batches by what released them", ["target", "reason"]);
  readonly #results = this.#counter(
    "batch_results_total",
    "Batches by their result: ok, or an error's code",
    ["target", "code"],
  );
  readonly #refusals = this.#counter(
    "refusals_total",
    "Batches that a target did not admit, by the error's code",
    ["target", "code"],
  );
  readonly #cost = this.#counter("batch_cost_total", "What batches have cost", ["target", "currency"]);
  readonly #plans = this.#counter("plans_total", "Plans by what caused them", ["cause", "adopted"]);
  readonly #proofs = this.#counter(
    "join_proofs_total",
    "Proofs at edges that the rows of a model may be joined, by their result",
    ["result"],
  );
  readonly #proofTime = this.#counter("join_proof_seconds_total", "Time that such proofs took at edges", []);
  readonly #latency = new Histogram({
    name: "spillway_queue_request_duration_seconds",
    help: "Time from a request's arrival to its end",
    labelNames: ["outcome", "lane"],
    buckets: latencyBucketsS,
    registers: [this.#registry],
  });
  readonly #spend: () => SpendStatus;
  readonly #lanes: readonly string[];
  #callers: () => readonly CallerCounts[] = () => [];

  /**
   * @param spend what functions cost of late, measuring included
   * @param rules what is known of each model in use
   * @param lanes names of the lanes
   */
  constructor(
    spend: () => SpendStatus,
    rules: () => readonly ModelRule[] = () => [],
    lanes: readonly string[] = [],
  ) {
    this.#spend = spend;
    this.#lanes = ["", ...lanes];
    addLoopDelay(this.#registry, "spillway_queue_event_loop_delay_seconds");
    callerCounter(this.#registry, "spillway_queue_callers_total", () => this.#callers());
    this.#gauge("models", "Models in use by whether their requests are joined", ["joins"], (gauge) => {
      const counts = { yes: 0, no: 0, unproved: 0 };
      for (const { joins, isKnown } of rules()) counts[isKnown ? (joins ? "yes" : "no") : "unproved"]++;
      for (const [joins, count] of Object.entries(counts)) gauge.set({ joins }, count);
    });
    this.#gauge("waiting_requests", "Requests with rows that wait to be sent", ["lane"], (gauge) => {
      for (const [lane, requests] of this.#waiting()) gauge.set({ lane }, requests.length);
    });
    this.#gauge("waiting_rows", "Rows that wait to be sent", ["lane"], (gauge) => {
      for (const [lane, requests] of this.#waiting())
        gauge.set(
          { lane },
          requests.reduce((sum, { waitingRows }) => sum + waitingRows, 0),
        );
    });
    this.#gauge("inflight_requests", "Requests that were sent and are not answered", [], (gauge) => {
      gauge.set([...this.#requests.values()].filter(({ waitingRows }) => waitingRows === 0).length);
    });
    this.#gauge(
      "spend",
      "What functions cost within the last hour and day",
      ["window", "currency"],
      (gauge) => {
        const { currency, hour, day } = spend();
        gauge.set({ window: "hour", currency }, hour.spent);
        gauge.set({ window: "day", currency }, day.spent);
      },
    );
  }

  observe(event: QueueEvent | PlanRecord): void {
    switch (event.kind) {
      case "arrival":
        this.#requests.set(event.id, {
          lane: event.lane ?? "",
          arrivedAtMs: event.atMs,
          target: noTarget,
          waitingRows: event.rows,
        });
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
        this.#plans.inc({ cause: event.cause, adopted: String(event.isAdopted) });
        break;
      case "refusal":
        this.#refusals.inc({ target: this.#labelOf(event.target), code: event.code });
        break;
      case "postponed":
      case "barred":
      case "cancel":
      case "timer":
      case "target-added":
      case "target-removed":
      case "target-models":
      case "close":
        break;
    }
  }

  /** From now on a scrape tells how the requests of each caller ended at the gate. */
  watchCallers(callers: () => readonly CallerCounts[]): void {
    this.#callers = callers;
  }

  /** Whether a request has rows that were not sent to a target; `id` is its number in the queue. */
  isWaiting(id: number): boolean {
    return (this.#requests.get(id)?.waitingRows ?? 0) > 0;
  }

  /** Adds the metrics of an ingress to each scrape. */
  extend(add: (registry: Registry) => void): void {
    add(this.#registry);
  }

  /** A proof that rows may be joined is over. */
  proofEnded({ result, tookMs }: ProofEnd): void {
    this.#proofs.inc({ result });
    this.#proofTime.inc(tookMs / 1_000);
  }

  /** The text of a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #labelOf(target: string): string {
    if (this.#targets.size < mostTargets) this.#targets.add(target);
    return this.#targets.has(target) ? target : otherTarget;
  }

  #batchSent({ id, target: name, reason, requests, ranges }: QueueOutput & { kind: "batch" }): void {
    const target = this.#labelOf(name);
    const rows = requests.map((each, index) => {
      const [from, to] = ranges?.[index] ?? [0, this.#requests.get(each)?.waitingRows ?? 0];
      return to - from;
    });
    this.#batches.set(id, { target, requests, rows });
    this.#sent.inc({ target, reason });
    for (const [index, each] of requests.entries()) {
      const request = this.#requests.get(each);
      if (request === undefined) continue;
      request.target = target;
      request.waitingRows -= rows[index] as number;
    }
  }

  /** What was not answered waits again, or ends with the next events. */
  #batchEnded(event: QueueInput & { kind: "result" }): void {
    const batch = this.#batches.get(event.batch);
    if (batch === undefined) return;
    this.#batches.delete(event.batch);
    const { target, requests, rows } = batch;
    this.#results.inc({ target, code: event.ok ? "ok" : event.code });
    this.#cost.inc({ target, currency: this.#spend().currency }, event.cost ?? 0);
    const failed = new Set(event.unanswered?.map(({ index }) => index));
    for (const [index, each] of requests.entries()) {
      const request = this.#requests.get(each);
      if (request !== undefined && (!event.ok || failed.has(index)))
        request.waitingRows += rows[index] as number;
    }
  }

  #requestEnded({ id, outcome, atMs }: QueueOutput & { kind: "end" }): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    const { target, lane } = request;
    this.#ends.inc({ outcome, target, lane });
    this.#latency.observe({ outcome, lane }, (atMs - request.arrivedAtMs) / 1_000);
  }

  /** By lane. */
  #waiting(): ReadonlyMap<string, readonly OpenRequest[]> {
    const waiting = new Map<string, OpenRequest[]>(this.#lanes.map((lane) => [lane, []]));
    for (const request of this.#requests.values())
      if (request.waitingRows > 0) waiting.get(request.lane)?.push(request);
    return waiting;
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name: `spillway_queue_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: (gauge: Gauge<Label>) => void,
  ): void {
    const gauge: Gauge<Label> = new Gauge({
      name: `spillway_queue_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => fill(gauge),
    });
  }
}
