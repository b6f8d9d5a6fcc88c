/** What the queue has done for each model: requests, failures, queueing delays, and batches by their rows. */
import { Lru } from "../../../base/lru.ts";
import { errorKinds } from "../../../base/errors.ts";
import { versionedModel } from "../../../protocol/model-path.ts";
import { ModelStatistics } from "../../../protocol/server/model-statistics.ts";
import type { QueueEvent } from "../../queue/queue-event.ts";
import type { PlanRecord, QueueObserver } from "./observer.ts";

/** Models that are counted; the one that was asked for least lately is dropped. */
const mostModels = 1_024;

/** A request that has not ended. */
interface CountedRequest {
  readonly model: string;
  readonly rows: number;
  readonly arrivedAtMs: number;
  queuedMs: number;
  serviceMs: number;
}

export class QueueStatistics implements QueueObserver {
  readonly #models = new Lru<string, ModelStatistics>(mostModels);
  readonly #requests = new Map<number, CountedRequest>();
  readonly #batches = new Map<number, { readonly atMs: number; readonly requests: readonly number[] }>();
  #next: { readonly model: string; readonly rows: number } | undefined;

  /** Of the request that is submitted next: its model, and its rows, of which the queue counts one when it is sent alone. */
  announce(model: string, rows: number): void {
    this.#next = { model, rows };
  }

  /** What is counted of a model; undefined while it was asked nothing. */
  of(model: string): ModelStatistics | undefined {
    return this.#models.get(model);
  }

  /** The names of a model and of those versions of it that have names of their own, as far as they were asked for. */
  namesOf(model: string): string[] {
    const names = [...this.#models.values()].map(({ model: counted }) => counted.name);
    return names.filter((name) => versionedModel(name).model === model);
  }

  observe(event: QueueEvent | PlanRecord): void {
    switch (event.kind) {
      case "arrival": {
        const { model, rows } = this.#next ?? { model: "", rows: event.rows };
        this.#next = undefined;
        this.#requests.set(event.id, { model, rows, arrivedAtMs: event.atMs, queuedMs: 0, serviceMs: 0 });
        break;
      }
      case "batch":
        this.#batches.set(event.id, { atMs: event.atMs, requests: event.requests });
        break;
      case "result":
        this.#batchEnded(event);
        break;
      case "end":
        this.#requestEnded(event);
        break;
      case "plan":
      case "refusal":
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

  #batchEnded(event: QueueEvent & { kind: "result" }): void {
    const batch = this.#batches.get(event.batch);
    this.#batches.delete(event.batch);
    if (batch === undefined || !event.ok) return;
    const failed = new Set(event.unanswered?.map(({ index }) => index));
    const served = batch.requests.flatMap((id, index) => {
      const request = failed.has(index) ? undefined : this.#requests.get(id);
      return request ?? [];
    });
    const [first] = served;
    if (first === undefined) return;
    const serviceMs = event.serviceMs ?? event.atMs - batch.atMs;
    for (const request of served) {
      request.queuedMs = batch.atMs - request.arrivedAtMs;
      request.serviceMs = serviceMs;
    }
    this.#of(first.model).addBatch({ rows: served.reduce((sum, { rows }) => sum + rows, 0), serviceMs });
  }

  #requestEnded({ id, outcome, code, atMs }: QueueEvent & { kind: "end" }): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    const { model, arrivedAtMs, queuedMs, serviceMs } = request;
    const isServed = outcome === "served" || outcome === "late";
    const status = isServed
      ? 200
      : code === undefined
        ? outcome === "cancelled"
          ? 499
          : 503
        : errorKinds[code].status;
    this.#of(model).addRequest({ totalMs: atMs - arrivedAtMs, status, queuedMs, serviceMs }, Date.now());
  }

  #of(model: string): ModelStatistics {
    let statistics = this.#models.get(model);
    if (statistics === undefined)
      this.#models.set(model, (statistics = new ModelStatistics({ name: model, version: "" })));
    return statistics;
  }
}
