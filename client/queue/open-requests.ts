/**
 * The requests that have not ended, and counts of how the others ended. Every request ends exactly once. Its
 * owner is told only when the queue is consistent again, so an owner may call the queue.
 */
import type { QueuedPart } from "./batch.ts";
import type { Lanes } from "./lanes/lanes.ts";
import type { Outcome, QueueEvent } from "./queue-event.ts";
import type { Reason } from "../policies/reasons/reason.ts";
import type { End, NewRequest, QueuedRequest, Served, Unserved } from "./request.ts";
import type { RequestLines } from "./request-lines.ts";
import type { SplitRequest } from "./split-request.ts";

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
  readonly #lanes: Lanes;
  readonly #lines: Pick<RequestLines<QueuedRequest<In, Out>>, "removeAll">;
  #ended: { readonly done: (end: End<Out>) => void; readonly end: End<Out> }[] = [];
  #telling = false;

  /** @param lines from which the waiting rows of a split request are taken once it has ended */
  constructor(
    observe: ((event: QueueEvent) => void) | undefined,
    lanes: Lanes,
    lines: Pick<RequestLines<QueuedRequest<In, Out>>, "removeAll">,
  ) {
    this.#observe = observe;
    this.#lanes = lanes;
    this.#lines = lines;
  }

  get isEmpty(): boolean {
    return this.counts.waiting === 0 && this.counts.inFlight === 0;
  }

  arrived(request: NewRequest<In, Out>): void {
    this.counts.submitted++;
    this.counts.waiting++;
    this.bytes += request.bytes;
    this.#lanes.entered(request);
  }

  /** A split request is in flight once none of its rows waits. */
  sent(request: QueuedRequest<In, Out>): void {
    request.attempts++;
    request.inFlight = true;
    if (request.whole !== undefined && --request.whole.waitingRows > 0) return;
    this.counts.waiting--;
    this.counts.inFlight++;
  }

  /** The request's batch failed, and the request waits again. */
  returned(request: QueuedRequest<In, Out>): void {
    request.inFlight = false;
    if (request.whole !== undefined && request.whole.waitingRows++ > 0) return;
    this.counts.inFlight--;
    this.counts.waiting++;
  }

  /** These rows of a split request were answered: a part that ends the request if it was the last. */
  answered({ request, others, toRow }: QueuedPart<In, Out>, served: Served<Out>, nowMs: number): void {
    const whole = request.whole as SplitRequest<In, Out>;
    request.end = served;
    for (const other of others) other.end = served;
    const end = whole.answered({ fromRow: request.fromRow, toRow }, served);
    if (end !== undefined) this.#endWhole(request, whole, end, nowMs);
  }

  /**
   * Ends a request; with one row of a split request, all of it.
   *
   * @throws Error when the request has already ended, which would be a bug in the queue
   */
  end(request: QueuedRequest<In, Out>, end: End<Out>, nowMs: number): void {
    if (request.end !== undefined) throw new Error(`request ${request.id} ends twice`);
    request.end = end;
    const { whole } = request;
    if (whole === undefined) this.#finish(request, request.inFlight, end, nowMs);
    else this.#endWhole(request, whole, end, nowMs);
  }

  #endWhole(row: QueuedRequest<In, Out>, whole: SplitRequest<In, Out>, end: End<Out>, nowMs: number): void {
    whole.ended(end);
    if (whole.waitingRows > 0) this.#lines.removeAll((each) => each.whole === whole);
    const { id, done, lane } = row;
    const { bytes, rows } = whole;
    this.#finish({ id, done, lane, bytes, rows: rows.length }, whole.waitingRows === 0, end, nowMs);
  }

  #finish(
    request: Pick<QueuedRequest<In, Out>, "id" | "done" | "lane" | "bytes" | "rows">,
    inFlight: boolean,
    end: End<Out>,
    nowMs: number,
  ): void {
    const { id, done, bytes } = request;
    this.#lanes.left(request);
    this.counts[inFlight ? "inFlight" : "waiting"]--;
    this.counts[end.outcome]++;
    this.bytes -= bytes;
    if (this.#observe !== undefined) {
      const event = { kind: "end", id, atMs: nowMs, outcome: end.outcome } as const;
      this.#observe("error" in end ? { ...event, code: end.error.code, why: whyOf(end) } : event);
    }
    this.#ended.push({ done, end });
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
      for (const { done, end } of ended) {
        try {
          done(end);
        } catch (error) {
          failure ??= { error };
        }
      }
    }
    this.#telling = false;
    if (failure !== undefined) throw failure.error;
  }
}

function whyOf({ error, why }: Unserved): Reason {
  return why ?? { kind: "told", text: error.message };
}
