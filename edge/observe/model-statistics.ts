/** The statistics of the model versions that serve, and how they are told what happens. */
import { ModelStatistics, type RequestTimes } from "../../protocol/server/model-statistics.ts";
import type { ModelFile } from "../models/model-runner.ts";

/** A request has ended, answered or not. */
export interface RequestEnd extends RequestTimes {
  readonly model: ModelFile;
}

/** A replica has run a batch. */
export interface BatchEnd {
  readonly model: ModelFile;
  readonly rows: number;
  /** Most rows that requests are joined to; a single request may have more. */
  readonly mostRows: number;
  readonly serviceMs: number;
}

/** Is told what happens to the models that serve, and counts what it likes. */
export interface Observer {
  onRequest?(end: RequestEnd): void;
  onBatch?(end: BatchEnd): void;
  /** The version no longer serves, so what is kept of it can go. */
  onUnloaded?(model: ModelFile): void;
}

export class StatisticsBook implements Observer {
  readonly #byModel = new Map<string, ModelStatistics>();
  /** The same by the file, for those who count. */
  #byFile = new WeakMap<ModelFile, ModelStatistics>();

  /** Statistics of a model's version; empty when it was asked nothing yet. */
  of(model: ModelFile): ModelStatistics {
    let statistics = this.#byFile.get(model);
    if (statistics !== undefined) return statistics;
    const key = `${model.version}/${model.name}`;
    statistics = this.#byModel.get(key);
    if (statistics === undefined) this.#byModel.set(key, (statistics = new ModelStatistics(model)));
    this.#byFile.set(model, statistics);
    return statistics;
  }

  onRequest(end: RequestEnd): void {
    this.of(end.model).addRequest(end, Date.now());
  }

  onBatch(end: BatchEnd): void {
    this.of(end.model).addBatch(end);
  }

  onUnloaded(model: ModelFile): void {
    this.#byModel.delete(`${model.version}/${model.name}`);
    this.#byFile = new WeakMap();
  }
}
