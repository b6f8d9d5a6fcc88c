/**
 * Learns how many rows a model takes in one call: a batch that was refused, and of which every request was answered in
 * smaller parts, had too many. A server that fails (5xx) may have done so for the moment, so it takes two such batches in
 * a row. Parts that were not all answered say nothing, because one of the requests may have spoilt the batch.
 */
import type { SpillwayError } from "../../base/errors.ts";
import { Lru } from "../../base/memory/lru.ts";

/** Models that are remembered. */
const maxModels = 256;

/** How a batch ended that had several requests. */
export interface JoinedEnd {
  readonly rows: number;
  /** Why the first call failed, with all requests; undefined when it was answered. */
  readonly refusal: SpillwayError | undefined;
  /** Rows of the largest call that was answered. */
  readonly mostAnswered: number;
  readonly areAllAnswered: boolean;
}

export class RowLimits {
  readonly #onTooManyRows: (model: string, mostRows: number) => void;
  /** Rows of the last batch that a server failed and answered in parts. */
  readonly #failed = new Lru<string, number>(maxModels);

  /** @param onTooManyRows told which model takes how many rows at most, as far as is known */
  constructor(onTooManyRows: (model: string, mostRows: number) => void) {
    this.#onTooManyRows = onTooManyRows;
  }

  ended(model: string, { rows, refusal, mostAnswered, areAllAnswered }: JoinedEnd): void {
    const failedRows = this.#failed.get(model) ?? Infinity;
    if (refusal === undefined) {
      if (rows >= failedRows) this.#failed.set(model, Infinity);
      return;
    }
    if (!areAllAnswered) return;
    const isSure = !refusal.retryable || failedRows < Infinity;
    this.#failed.set(model, isSure ? Infinity : rows);
    if (isSure) this.#onTooManyRows(model, mostAnswered);
  }
}
