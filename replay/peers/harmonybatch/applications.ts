/** The applications of a queue: its requests grouped by SLO, each group with its share of recent requests. */
import type { RequestClass } from "../../../algorithms/plan/batch-size-law.ts";
import type { WaitingRequest } from "../../../client/policies/policy.ts";

/** Time from arrival to deadline, rounded to microseconds: the difference is not always exactly the SLO. */
export function sloOf({ arrivedAtMs, deadlineAtMs }: WaitingRequest): number {
  return Math.round((deadlineAtMs - arrivedAtMs) * 1_000) / 1_000;
}

/** An application: requests of one row with an SLO. */
export interface Application extends RequestClass {
  readonly name: string;
}

export class Applications {
  readonly #defaultSloMs: number;
  /** Rows sent since the last call of `atRate`, by SLO. */
  readonly #sent = new Map<number, number>();

  /** @param defaultSloMs the SLO of all requests until some were sent */
  constructor(defaultSloMs: number) {
    this.#defaultSloMs = defaultSloMs;
  }

  /** A request is sent for the first time. */
  sent(request: WaitingRequest): void {
    const sloMs = sloOf(request);
    this.#sent.set(sloMs, (this.#sent.get(sloMs) ?? 0) + request.rows);
  }

  /** The applications at this total rate, which is split by the rows that were sent since the last call. */
  atRate(arrivalsPerMs: number): Application[] {
    const sent = this.#sent.size === 0 ? [[this.#defaultSloMs, 1] as const] : [...this.#sent];
    const rows = sent.reduce((sum, [, count]) => sum + count, 0);
    this.#sent.clear();
    return sent.map(([sloMs, count]) => ({
      name: `${sloMs} ms`,
      sloMs,
      arrivalsPerMs: (arrivalsPerMs * count) / rows,
    }));
  }
}
