/** A request on its way through a model's queue: what the queue must know of it, and the promise that it ends. */
import { ProtocolError } from "../../protocol/errors.ts";
import { type InferRequest, priorityOf } from "../../protocol/message.ts";
import { stackKey } from "../../protocol/stack.ts";
import type { QueueItem } from "./model-queue.ts";
import type { RequestResult, RunLimits } from "../models/model-runner.ts";

/** A request that names no priority goes behind those of priority 1 and before those of 3 and more. */
const defaultPriority = 2;

export class PendingRequest implements QueueItem {
  readonly request: InferRequest;
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  readonly deadlineAtMs: number;
  readonly rank: number;
  readonly arrivedAtMs: number;
  readonly result: Promise<RequestResult>;
  readonly #hungUp: AbortSignal | undefined;
  readonly #onHungUp: () => void;
  #resolve: (result: RequestResult) => void = () => {};
  #reject: (error: Error) => void = () => {};

  /** @param onHungUp called when the caller goes away before the request has ended */
  constructor(
    request: InferRequest,
    rows: number,
    { deadlineAtMs = Infinity, hungUp }: RunLimits,
    nowMs: number,
    onHungUp: (pending: PendingRequest) => void,
  ) {
    // Which outputs are wanted does not matter here: every run makes all of them.
    const { parameters, inputs } = request;
    this.request = { parameters, inputs };
    this.key = stackKey(this.request);
    this.rows = rows;
    this.bytes = inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
    this.deadlineAtMs = deadlineAtMs;
    const priority = priorityOf(request);
    this.rank = priority === 0 ? defaultPriority : priority;
    this.arrivedAtMs = nowMs;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#hungUp = hungUp;
    this.#onHungUp = () => {
      onHungUp(this);
      this.fail(new ProtocolError("the caller went away", 499));
    };
    hungUp?.addEventListener("abort", this.#onHungUp);
  }

  succeed(result: RequestResult): void {
    this.#hungUp?.removeEventListener("abort", this.#onHungUp);
    this.#resolve(result);
  }

  fail(error: Error): void {
    this.#hungUp?.removeEventListener("abort", this.#onHungUp);
    this.#reject(error);
  }
}
