/** The applications of a queue: its requests told apart by their SLO, each with its share of the recent ones. */
import type { RequestClass } from "../../../algorithms/plan/batch-size-law.ts";
import type { WaitingRequest } from "../../../client/policies/policy.ts";

/** Time from arrival to deadline, to the microsecond: their difference is not always the SLO to the last bit. */
export function sloOf({ arrivedAtMs, deadlineAtMs }: WaitingRequest): number {
  return Math.round((deadlineAtMs - arrivedAtMs) * 1_000) / 1_000;
}

/** An application: requests of one row with an SLO. */
export interface Application extends RequestClass {
  readonly name: string;
}

export class Applications {
  readonly #defaultSloMs: number;
  /** Rows sent since the last rates, by SLO. */
  readonly #sent = new Map<number, number>();

  /** @param defaultSloMs of all requests until some were sent */
  constructor(defaultSloMs: number) {
    this.#defaultSloMs = defaultSloMs;
  }

  /** A request is sent for the first time. */
  sent(request: WaitingRequest): void {
    const sloMs = sloOf(request);
    this.#sent.set(sloMs, (this.#sent.get(sloMs) ?? 0) + request.rows);
  }

  /** That rate, shared as the rows sent since this was asked last. */
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
