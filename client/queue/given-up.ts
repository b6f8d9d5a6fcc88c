/** Carries out decisions not to answer requests in time: they are refused, or wait for an edge in a line of their own. */
import type { Decision } from "../policies/policy.ts";
import type { QueueEvent } from "./queue-event.ts";
import type { Refusals } from "./refusals.ts";
import type { QueuedRequest } from "./request.ts";
import type { RequestLine } from "./request-line.ts";
import type { RequestLines } from "./request-lines.ts";

export class GivenUp<In, Out> {
  readonly #lines: RequestLines<QueuedRequest<In, Out>>;
  readonly #refusals: Refusals<In, Out>;
  readonly #observe: ((event: QueueEvent) => void) | undefined;

  constructor(
    lines: RequestLines<QueuedRequest<In, Out>>,
    refusals: Refusals<In, Out>,
    observe: ((event: QueueEvent) => void) | undefined,
  ) {
    this.#lines = lines;
    this.#refusals = refusals;
    this.#observe = observe;
  }

  /**
   * @returns the lines that requests were moved to
   * @throws RangeError when requests are postponed twice, or no edge is eligible
   */
  carryOut(
    line: RequestLine<QueuedRequest<In, Out>>,
    decision: Decision & { readonly kind: "refuse" | "postpone" },
    nowMs: number,
  ): Iterable<RequestLine<QueuedRequest<In, Out>>> {
    if (decision.kind === "postpone") return this.#postpone(line, decision, nowMs);
    const requests = line.take(decision.count);
    if (decision.reason === "overloaded") this.#refusals.drop(requests, nowMs, decision.why);
    else this.#refusals.giveUp(requests, nowMs);
    return [];
  }

  /** A request for which there is no more room in a line is refused. */
  #postpone(
    line: RequestLine<QueuedRequest<In, Out>>,
    { first, count, graceMs, why }: Decision & { readonly kind: "postpone" },
    nowMs: number,
  ): Iterable<RequestLine<QueuedRequest<In, Out>>> {
    if (!(graceMs > 0) || line.graceMs > 0 || line.eligible.withoutFunctions().sizeFor(line.key) === 0) {
      const where = line.graceMs > 0 ? "postponed" : "waiting";
      throw new RangeError(
        `graceMs is ${graceMs} for ${where} requests; allowed: above 0, for requests that wait and may go to an edge`,
      );
    }
    const moved = new Set<RequestLine<QueuedRequest<In, Out>>>();
    for (const request of line.take(count, first)) {
      request.postpone(graceMs);
      const to = this.#lines.add(request);
      if (to === undefined) {
        this.#refusals.drop([request], nowMs);
        continue;
      }
      this.#observe?.({ kind: "postponed", id: request.id, atMs: nowMs, why });
      moved.add(to);
    }
    return moved;
  }
}
