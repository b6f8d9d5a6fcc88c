/** A batch under way, and the check that what a target says of it makes sense. */
import { SpillwayError } from "./errors.ts";
import type { QueueInput } from "./queue-event.ts";
import type { QueuedRequest } from "./request.ts";
import type { BatchResult } from "./target.ts";
import type { TargetState } from "./target-state.ts";

export interface Batch<In, Out> {
  readonly id: number;
  readonly key: string;
  readonly rows: number;
  readonly formedAtMs: number;
  readonly target: TargetState<In, Out>;
  readonly requests: readonly QueuedRequest<In, Out>[];
}

/** The result as the queue takes it: answers that do not match the requests are a fault of the target. */
export function checkedResult<In, Out>(batch: Batch<In, Out>, result: BatchResult<Out>): BatchResult<Out> {
  if (!result.ok || result.answers.length === batch.requests.length) return result;
  const message = `${batch.target.name} gave ${result.answers.length} answers to ${batch.requests.length} requests`;
  return { ok: false, error: new SpillwayError("target_fault", message) };
}

export function resultEvent<Out>(
  batch: number,
  result: BatchResult<Out>,
  atMs: number,
): QueueInput & { kind: "result" } {
  if (!result.ok) {
    const { code, message } = result.error;
    return { kind: "result", batch, atMs, ok: false, code, message };
  }
  const { serviceMs, coldStartMs, cost } = result;
  const service = serviceMs === undefined ? {} : { serviceMs };
  return { kind: "result", batch, atMs, ok: true, ...service, coldStartMs, cost };
}
