/**
 * The requests that have not ended, and counts of how the others ended. Every request ends exactly once. Its
 * owner is told only when the queue is consistent again, so an owner may call the queue.
 */
import type { Outcome, QueueEvent } from "./queue-event.ts";
import type { End, QueuedRequest } from "./request.ts";

/** Requests by state: `submitted` is the sum of all the others. */
export type QueueCounts = Record<Outcome | "submitted" | "waiting" | "inFlight", number>;

export class OpenRequests<In, Out> {
  readonly counts: QueueCounts = {
    submitted: 0,
    waiting: 0,
    inFlight: 0,
    served: 0,
    late: 0,
    refused: 0,
    cancelled: 0,
    failed: 0,
  };
  /** Bytes of all requests that have not ended. */
  bytes = 0;
  readonly #observe: ((event: QueueEvent) => void) | undefined;
  #ended: QueuedRequest<In, Out>[] = [];
  #telling = false;

  constructor(observe: ((event: QueueEvent) => void) | undefined) {
    this.#observe = observe;
  }

  get isEmpty(): boolean {
    return this.counts.waiting === 0 && this.counts.inFlight === 0;
  }

  arrived(request: QueuedRequest<In, Out>): void {
    this.counts.submitted++;
    this.counts.waiting++;
    this.bytes += request.bytes;
  }

  sent(request: QueuedRequest<In, Out>): void {
    request.attempts++;
    request.inFlight = true;
    this.counts.waiting--;
    this.counts.inFlight++;
  }

  /** The request's batch failed, and the request waits again. */
  returned(request: QueuedRequest<In, Out>): void {
    request.inFlight = false;
    this.counts.inFlight--;
    this.counts.waiting++;
  }

  /** @throws Error when the request has already ended, which would be a bug in the queue */
  end(request: QueuedRequest<In, Out>, end: End<Out>, nowMs: number): void {
    if (request.end !== undefined) throw new Error(`request ${request.id} ends twice`);
    request.end = end;
    this.counts[request.inFlight ? "inFlight" : "waiting"]--;
    this.counts[end.outcome]++;
    this.bytes -= request.bytes;
    if (this.#observe !== undefined) {
      const event = { kind: "end", id: request.id, atMs: nowMs, outcome: end.outcome } as const;
      this.#observe("error" in end ? { ...event, code: end.error.code } : event);
    }
    this.#ended.push(request);
  }

  /**
   * Tell the owners of all ended requests. An owner may call the queue and so end more requests, which are
   * told in the same loop. The first error that an owner throws is thrown again once all owners were told.
   */
  tellOwners(): void {
    if (this.#telling) return;
    this.#telling = true;
    let failure: { readonly error: unknown } | undefined;
    while (this.#ended.length > 0) {
      const ended = this.#ended;
      this.#ended = [];
      for (const request of ended) {
        try {
          request.done(request.end as End<Out>);
        } catch (error) {
          failure ??= { error };
        }
      }
    }
    this.#telling = false;
    if (failure !== undefined) throw failure.error;
  }
}
