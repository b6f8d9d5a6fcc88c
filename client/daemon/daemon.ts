/**
 * The daemon around the virtual queue. It has no door of its own: every ingress hands its requests to `submit`.
 *
 *     const daemon = openDaemon(options, log);
 *     await daemon.start(stop);
 *     const { answer, target } = await daemon.submit({ model: "ocr-cls", request, bytes }, callerLeft);
 *     await daemon.close();
 */
import { SpillwayError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, timeoutUsOf } from "../../protocol/message.ts";
import { rowsOf } from "../../protocol/stack.ts";
import { queueKey } from "../policies/queue-key.ts";
import type { Served, Submission } from "../queue/request.ts";
import type { VirtualQueue } from "../queue/virtual-queue.ts";
import type { SpendStatus } from "../targets/spend-cap.ts";
import type { ModelCall } from "../transports/model-target.ts";
import type { ModelDirectory } from "./model-directory.ts";
import type { QueueMetrics } from "./observe/metrics.ts";

/** When a caller that came too early may come again: measuring takes about so long. */
const startingMs = 5_000;

export type DaemonQueue = VirtualQueue<ModelCall, InferResponse>;

/** What a daemon is made of. */
export interface DaemonParts {
  /** Time from arrival to deadline of a request that has no `timeout` of its own. */
  readonly sloMs: number;
  readonly models: ModelDirectory;
  readonly metrics: QueueMetrics;
  /** Measures the targets and makes the queue; `stop` ends the measuring early. */
  startQueue(stop: AbortSignal): Promise<DaemonQueue>;
  /** What functions cost of late. */
  spend(): SpendStatus;
  /** Lets go of connections and files once the queue is drained; `queue` is undefined when it never started. */
  release(queue: DaemonQueue | undefined): Promise<void>;
}

export interface DaemonStatus {
  /** True when a request that is submitted now can be served. */
  readonly isReady: boolean;
  readonly spend: SpendStatus;
}

/** One request as an ingress got it. */
export interface DaemonRequest {
  readonly model: string;
  readonly request: InferRequest;
  /** Size of the request as it came, for the bound of the queue. */
  readonly bytes: number;
}

export class Daemon {
  /** Which models there are and what they take. */
  readonly models: ModelDirectory;
  /** For a scrape at any time. */
  readonly metrics: QueueMetrics;
  readonly #parts: DaemonParts;
  #queue: DaemonQueue | undefined;

  constructor(parts: DaemonParts) {
    this.models = parts.models;
    this.metrics = parts.metrics;
    this.#parts = parts;
  }

  /** Resolves when requests are taken. */
  async start(stop: AbortSignal): Promise<void> {
    this.#queue = await this.#parts.startQueue(stop);
  }

  /** Takes nothing new, and resolves when every request has ended and all resources are released. */
  async close(): Promise<void> {
    const queue = this.#queue;
    if (queue !== undefined) await new Promise<void>((drained) => queue.close(drained));
    await this.#parts.release(queue);
  }

  status(): DaemonStatus {
    return { isReady: this.#queue?.isReady ?? false, spend: this.#parts.spend() };
  }

  /**
   * Tells before a request is read whether it makes sense to read it. Rejects with `queue_starting` before the daemon
   * has started, and with `model_not_found` for a model that no target serves.
   */
  async checkModel(model: string): Promise<void> {
    this.#startedQueue();
    if (!(await this.models.lacks(model))) return;
    const known = this.models.known.join(", ");
    throw new SpillwayError("model_not_found", `no model "${model}"; there are: ${known}`);
  }

  /**
   * Resolves with the answer; rejects with a SpillwayError, which says when to come back where that is known.
   *
   * @param callerLeft cancels the request
   */
  async submit(call: DaemonRequest, callerLeft: AbortSignal): Promise<Served<InferResponse>> {
    const queue = this.#startedQueue();
    const submission = submissionOf(call);
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        queue.cancel(ticket);
      };
      const ticket = queue.submit(submission, (end) => {
        callerLeft.removeEventListener("abort", cancel);
        if ("error" in end) reject(this.#withRetryTime(end.error));
        else resolve(end);
      });
      callerLeft.addEventListener("abort", cancel);
    });
  }

  #startedQueue(): DaemonQueue {
    if (this.#queue !== undefined) return this.#queue;
    throw new SpillwayError("queue_starting", undefined, { retryAfterMs: startingMs });
  }

  /** Every request that waits now has ended after one SLO, so a full queue has room by then. */
  #withRetryTime(error: SpillwayError): SpillwayError {
    if (error.code !== "queue_full") return error;
    return new SpillwayError(error.code, error.message, { retryAfterMs: this.#parts.sloMs });
  }
}

/** A request's own `timeout` takes the place of the SLO. */
function submissionOf({ model, request, bytes }: DaemonRequest): Submission<ModelCall> {
  const rows = rowsOf(request);
  const timeoutUs = timeoutUsOf(request);
  return {
    payload: { model, request, rows },
    key: queueKey(model, request),
    rows,
    bytes,
    ...(timeoutUs === undefined ? {} : { sloMs: timeoutUs / 1_000 }),
  };
}
