/** What there is to count about a model that serves. Told of as it happens; who counts what is the observers' business. */
import type { ModelFile } from "../models/model-runner.ts";

/** A request has ended, answered or not. */
export interface RequestEnd {
  readonly model: ModelFile;
  /** From the call to its end. */
  readonly totalMs: number;
  /** HTTP status: 200 when it was answered. */
  readonly status: number;
  /** Time until the model began; 0 when it never did. */
  readonly queuedMs: number;
  /** Time that the batch it was in took; 0 when it was in none. */
  readonly serviceMs: number;
}

/** A replica has run a batch. */
export interface BatchEnd {
  readonly model: ModelFile;
  readonly rows: number;
  /** Most rows that requests are joined to; a single request may have more. */
  readonly mostRows: number;
  readonly serviceMs: number;
}

export interface Observer {
  onRequest(end: RequestEnd): void;
  onBatch(end: BatchEnd): void;
  /** A version serves no more: what is kept of it can go. */
  onUnloaded(model: ModelFile): void;
}
