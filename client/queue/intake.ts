/** Takes submissions in: fills in their defaults, refuses those for which there is no room, and splits those that may be. */
import { SpillwayError } from "../../base/errors.ts";
import { type LaneLoad, type Lanes, tooLargeFor } from "./lanes/lanes.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { QueueBounds } from "./queue-options.ts";
import { checkedSubmission, type NewRequest, QueuedRequest, type Submission } from "./request.ts";
import { type JoinAnswers, SplitRequest } from "./split-request.ts";

export interface IntakeOptions<In, Out> {
  readonly bounds: QueueBounds;
  readonly lanes: Lanes;
  readonly open: OpenRequests<In, Out>;
  /** Rows over all lines. */
  readonly waitingRows: () => number;
  /** Undefined: requests are not split. */
  readonly joinAnswers?: JoinAnswers<In, Out> | undefined;
}

export class Intake<In, Out> {
  readonly #options: IntakeOptions<In, Out>;

  constructor(options: IntakeOptions<In, Out>) {
    this.#options = options;
  }

  /** What each lane holds, by name, with "" for requests without a lane. */
  get lanes(): Readonly<Record<string, LaneLoad>> {
    return this.#options.lanes.loads();
  }

  /** @throws RangeError when a field of the submission is outside its range */
  checked(submission: Submission<In>): Required<Submission<In>> {
    return checkedSubmission(submission, this.#options.lanes.sloMs(submission.lane ?? ""));
  }

  /** Why a request may not wait now; undefined when it may. */
  refusal(request: NewRequest<In, Out>): SpillwayError | undefined {
    const { bounds, lanes, open, waitingRows } = this.#options;
    const { rows, bytes } = request;
    const { maxQueuedRows, maxBytes } = bounds;
    const tooLarge =
      tooLargeFor("the queue", request, { maxRows: maxQueuedRows, maxBytes }) ?? lanes.tooLarge(request);
    if (tooLarge !== undefined) return tooLarge;
    const fits = waitingRows() + rows <= maxQueuedRows && open.bytes + bytes <= maxBytes;
    return fits ? lanes.refusal(request) : new SpillwayError("queue_full");
  }

  /**
   * What waits in a line: the request, or each of its rows.
   *
   * @param maySplit false for a request that is refused
   */
  queued(
    request: NewRequest<In, Out>,
    maySplit: boolean,
  ): readonly [QueuedRequest<In, Out>, ...QueuedRequest<In, Out>[]] {
    const { joinAnswers } = this.#options;
    const isSplit = maySplit && request.isSplittable && request.rows > 1 && joinAnswers !== undefined;
    return isSplit ? new SplitRequest(request, joinAnswers).rows : [new QueuedRequest(request)];
  }
}

/** A submission that has arrived. Each field is named, because a spread that more fields follow takes microseconds. */
export function arrivedRequest<In, Out>(
  { payload, key, rows, bytes, sloMs, isFinalAnywhere, lane, tenant, isSplittable }: Required<Submission<In>>,
  { id, arrivedAtMs, eligible, done }: Omit<NewRequest<In, Out>, keyof Submission<In>>,
): NewRequest<In, Out> {
  return {
    payload,
    key,
    rows,
    bytes,
    sloMs,
    isFinalAnywhere,
    lane,
    tenant,
    isSplittable,
    id,
    arrivedAtMs,
    eligible,
    done,
  };
}
