/** What the queue has done for each model: requests, failures, queueing delays, and batches by their rows. */
import { Lru } from "../../../base/memory/lru.ts";
import { errorKinds } from "../../../base/errors.ts";
import { TurnoverMap } from "../../../base/memory/turnover-map.ts";
import { versionedModel } from "../../../protocol/model-path.ts";
import { ModelStatistics } from "../../../protocol/server/model-statistics.ts";
import type { QueueEvent } from "../../queue/queue-event.ts";
import { OpenEntries } from "./metrics/open-entries.ts";
import type { PlanRecord, QueueObserver } from "./observer.ts";

/** Models that are counted; the one that was asked for least lately is dropped. */
const mostModels = 1_024;

/** A request that has not ended. */
interface CountedRequest {
  id: number;
  model: string;
  rows: number;
  arrivedAtMs: number;
  queuedMs: number;
  serviceMs: number;
}

export class QueueStatistics implements QueueObserver {
  readonly #models = new Lru<string, ModelStatistics>(mostModels);
  /** The one that was asked for last: mostly it is asked for again. */
  #latest: ModelStatistics | undefined;
  readonly #requests = new OpenEntries<CountedRequest>(() => {
    return { id: -1, model: "", rows: 0, arrivedAtMs: 0, queuedMs: 0, serviceMs: 0 };
  });
  readonly #batches = new TurnoverMap<
    number,
    { readonly atMs: number; readonly requests: readonly number[] }
  >();
  #nextModel = "";
  /** Of the request that is submitted next; 0: nobody has said it. */
  #nextRows = 0;

  /** Of the request that is submitted next: its model, and its rows, of which the queue counts one when it is sent alone. */
  announce(model: string, rows: number): void {
    this.#nextModel = model;
    this.#nextRows = rows;
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
        const isSaid = this.#nextRows > 0;
        const request = this.#requests.add(event.id);
        request.model = isSaid ? this.#nextModel : "";
        request.rows = isSaid ? this.#nextRows : event.rows;
        request.arrivedAtMs = event.atMs;
        request.queuedMs = 0;
        request.serviceMs = 0;
        this.#nextRows = 0;
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
    const failed = event.unanswered && new Set(event.unanswered.map(({ index }) => index));
    const serviceMs = event.serviceMs ?? event.atMs - batch.atMs;
    let model: string | undefined;
    let rows = 0;
    for (let index = 0; index < batch.requests.length; index++) {
      const request = this.#requests.of(batch.requests[index] as number);
      if (request === undefined || failed?.has(index) === true) continue;
      request.queuedMs = batch.atMs - request.arrivedAtMs;
      request.serviceMs = serviceMs;
      rows += request.rows;
      model ??= request.model;
    }
    if (model !== undefined) this.#of(model).addBatch({ rows, serviceMs });
  }

  #requestEnded({ id, outcome, code, atMs }: QueueEvent & { kind: "end" }): void {
    const request = this.#requests.of(id);
    if (request === undefined) return;
    this.#requests.delete(request);
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
    if (this.#latest?.model.name === model) return this.#latest;
    let statistics = this.#models.get(model);
    if (statistics === undefined)
      this.#models.set(model, (statistics = new ModelStatistics({ name: model, version: "" })));
    this.#latest = statistics;
    return statistics;
  }
}
