/** Ends requests that are not sent, each with the reason that its caller needs. */
import { SpillwayError, withoutStack } from "../../base/errors.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { QueueTargets } from "./queue-targets.ts";
import { deadlineRefusal, reasonsOf, withReasons } from "./refusal.ts";
import type { QueuedRequest } from "./request.ts";

export class Refusals<In, Out> {
  readonly #open: OpenRequests<In, Out>;
  readonly #targets: QueueTargets<In, Out>;
  readonly #modelOf: (key: string) => string;
  readonly #sloMs: number;

  /** @param modelOf the model of a key */
  constructor(
    open: OpenRequests<In, Out>,
    targets: QueueTargets<In, Out>,
    modelOf: (key: string) => string,
    sloMs: number,
  ) {
    this.#open = open;
    this.#targets = targets;
    this.#modelOf = modelOf;
    this.#sloMs = sloMs;
  }

  /** A row whose request has ended by another row is left alone. */
  refuse(request: QueuedRequest<In, Out>, error: SpillwayError, nowMs: number): void {
    if (request.end !== undefined) return;
    this.#open.end(request, { outcome: "refused", error }, nowMs);
  }

  /** For requests that have waited as long as they may. */
  expired(requests: readonly QueuedRequest<In, Out>[], nowMs: number): void {
    for (const request of requests) {
      if (request.graceMs > 0) this.drop([request], nowMs);
      else this.giveUp([request], nowMs);
    }
  }

  /** For requests whose deadline came, or comes before any target could answer. */
  giveUp(requests: readonly QueuedRequest<In, Out>[], nowMs: number): void {
    const { live } = this.#targets;
    const [refusal] = live.flatMap((target) => target.refusal(nowMs) ?? []);
    for (const request of requests) {
      const model = this.#modelOf(request.key);
      const error = withoutStack(() => {
        const [pause] = live.flatMap((target) => target.pauseReason(nowMs, model) ?? []);
        const error = deadlineRefusal(request, refusal, pause);
        const isAlone = live.length === 1;
        return isAlone ? error : withReasons(error, reasonsOf(request, this.#targets, model, nowMs));
      });
      this.refuse(request, error, nowMs);
    }
  }

  /** For requests before which the targets have too much work. Whoever waits now has ended after one SLO. */
  drop(requests: readonly QueuedRequest<In, Out>[], nowMs: number): void {
    const error = new SpillwayError("overloaded", undefined, { retryAfterMs: this.#sloMs });
    for (const request of requests) this.refuse(request, error, nowMs);
  }
}
