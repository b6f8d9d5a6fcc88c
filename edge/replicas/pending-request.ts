/** Requests in a model's queue: what the queue must know of each, the promise of its result, and their rows joined and cut. */
import type { Abortable } from "../../base/program/hang-up.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type InferRequest, priorityOf } from "../../protocol/message.ts";
import { inputsKey } from "../../protocol/stack.ts";
import { dataBytes, dataPieces, pieceTensor, type Tensor } from "../../protocol/tensor.ts";
import { requestRows } from "../joining/row-structure.ts";
import type { RequestFault, RequestResult } from "../models/model-runner.ts";
import { pixelBytes } from "../vision/pictures/picture-header.ts";
import type { QueueItem } from "./model-queue.ts";

/** Requests without a priority run after those of priority 1 and before those of 3 and more. */
const defaultPriority = 2;

export class PendingRequest implements QueueItem {
  readonly request: InferRequest;
  readonly key: string | undefined;
  readonly rows: number;
  readonly places: number;
  readonly bytes: number;
  readonly deadlineAtMs: number;
  readonly rank: number;
  readonly arrivedAtMs: number;
  readonly result: Promise<RequestResult>;
  #hungUp: Abortable | undefined;
  #onHungUp: () => void = () => {};
  #resolve: (result: RequestResult) => void = () => {};
  #reject: (error: Error) => void = () => {};

  /**
   * Throws a ProtocolError when the deadline has passed already.
   *
   * @param hasRows whether the model is known to have rows, so that they count for the bounds of its queue
   */
  constructor(request: InferRequest, hasRows: boolean, deadlineAtMs: number, nowMs: number) {
    if (deadlineAtMs <= nowMs) throw deadlinePassed();
    // Without its outputs: every run makes all of them, so they do not count for the key.
    const { parameters, inputs } = request;
    this.request = { parameters, inputs };
    const rows = requestRows(inputs);
    this.key = rows === undefined ? undefined : inputsKey(request);
    this.rows = rows ?? 1;
    this.places = hasRows ? this.rows : 1;
    // A picture counts by its pixels where they are more than its file.
    this.bytes = inputs.reduce((sum, input) => sum + Math.max(dataBytes(input), pixelBytes(input)), 0);
    this.deadlineAtMs = deadlineAtMs;
    this.rank = priorityOf(request) || defaultPriority;
    this.arrivedAtMs = nowMs;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** End it when the caller hangs up, now if that has happened. `onHungUp` is called before its result rejects. */
  endOn(hungUp: Abortable | undefined, onHungUp: () => void): void {
    if (hungUp === undefined) return;
    this.#onHungUp = onHungUp;
    if (hungUp.aborted) return this.handleEvent();
    this.#hungUp = hungUp;
    hungUp.addEventListener("abort", this);
  }

  /** The caller has hung up. */
  handleEvent(): void {
    this.#onHungUp();
    this.fail(callerHungUp());
  }

  succeed(result: RequestResult): void {
    this.#hungUp?.removeEventListener("abort", this);
    this.#resolve(result);
  }

  fail(error: Error): void {
    this.#hungUp?.removeEventListener("abort", this);
    this.#reject(error);
  }
}

/** The result of a request; rejects with what `accept` throws. A promise that is not within another takes three turns less. */
export function resultOf(accept: () => PendingRequest): Promise<RequestResult> {
  try {
    return accept().result;
  } catch (error) {
    return Promise.reject(error);
  }
}

export function deadlinePassed(): ProtocolError {
  return new ProtocolError("the request's timeout passed before it was answered", 504);
}

export function callerHungUp(): ProtocolError {
  return new ProtocolError("the caller went away", 499);
}

/**
 * Answer the requests of a batch, each with its own outputs or its own fault. `parts`: the outputs of those without a
 * fault, in their order. `isWanted`: whether somebody still waits for the answer.
 */
export function answerEach(
  requests: readonly PendingRequest[],
  isWanted: readonly boolean[],
  parts: readonly (readonly Tensor[])[],
  faults: readonly (RequestFault | undefined)[],
  about: (pending: PendingRequest) => Omit<RequestResult, "outputs">,
): void {
  let nextPart = 0;
  for (const [index, pending] of requests.entries()) {
    const fault = faults[index];
    if (fault !== undefined) {
      if (isWanted[index]) pending.fail(new ProtocolError(fault.message, fault.status));
      continue;
    }
    const outputs = parts[nextPart++] ?? [];
    if (isWanted[index]) pending.succeed({ outputs, ...about(pending) });
  }
}

/** The inputs of all requests, which have the same key, joined; those of a single request as they are. */
export function joinInputs(requests: readonly PendingRequest[]): readonly Tensor[] {
  const [first, second] = requests;
  if (first === undefined || second === undefined) return first?.request.inputs ?? [];
  const rows = requests.reduce((sum, each) => sum + each.rows, 0);
  return first.request.inputs.map(({ name, datatype, shape, parameters }, index) => {
    const pieces: Uint8Array[] = [];
    for (const { request } of requests) {
      const likely = request.inputs[index];
      const own = likely?.name === name ? likely : request.inputs.find((each) => each.name === name);
      for (const piece of dataPieces(own as Tensor)) pieces.push(piece);
    }
    const about = { name, datatype, shape: [rows, ...shape.slice(1)] };
    return pieceTensor(parameters === undefined ? about : { ...about, parameters }, pieces);
  });
}
