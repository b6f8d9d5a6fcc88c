/** Who answered how many rows, and what that took. */
import type { InferResponse } from "../../protocol/message.ts";

interface Share {
  rows: number;
  /** Time that its models ran for these rows, as it says; a batch's time is divided among its rows. */
  serviceMs: number;
}

/** One line of the table. */
export interface TallyRow {
  readonly who: string;
  readonly rows: number;
  readonly serviceS: number;
  readonly msPerRow: number;
}

export class RowTally {
  readonly #shares = new Map<string, Share>();
  #answered = 0;
  #failed = 0;

  get answered(): number {
    return this.#answered;
  }

  get failed(): number {
    return this.#failed;
  }

  add(rows: number, answer: InferResponse | undefined): void {
    if (answer === undefined) {
      this.#failed += rows;
      return;
    }
    this.#answered += rows;
    const { spillway_target: target = "the server", spillway_replica: replica } = answer.parameters;
    const who = `${String(target)}${replica === undefined ? "" : ` replica ${String(replica)}`}`;
    const share = this.#shares.get(who) ?? { rows: 0, serviceMs: 0 };
    const serviceMs = numberOf(answer.parameters["spillway_service_ms"]) ?? 0;
    const batchRows = Math.max(rows, numberOf(answer.parameters["spillway_batch_rows"]) ?? rows);
    share.rows += rows;
    share.serviceMs += (serviceMs * rows) / batchRows;
    this.#shares.set(who, share);
  }

  /** Who did most comes first. */
  rows(): TallyRow[] {
    return [...this.#shares]
      .map(([who, { rows, serviceMs }]) => {
        return { who, rows, serviceS: serviceMs / 1_000, msPerRow: serviceMs / rows };
      })
      .sort((a, b) => b.rows - a.rows);
  }
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
