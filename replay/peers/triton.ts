/**
 * The dynamic batcher of Triton. A batch of a preferred size is sent at once, a smaller one when its oldest
 * request has waited for the queue delay. A request that has waited longer than its timeout is rejected when
 * its turn comes. It uses the edge alone.
 *
 * Source: triton-inference-server/core, `dynamic_batch_scheduler.cc` (`GetDynamicBatch`) and
 * `scheduler_utils.cc` (queue policy REJECT). Differences: the batcher is in front of the edge's uplink
 * instead of behind it, so a batch travels as one and its replica waits for it; requests are in order of
 * their deadlines, which is the order of arrival when all have one SLO; there are no priorities, and nothing
 * is added to a batch after it was sent.
 */
import {
  type Decision,
  type LineView,
  type Policy,
  type QueueView,
  type WaitingRequest,
} from "../../client/policies/policy.ts";
import { type Edge, edgeAmong, replicaFreeAtMs } from "./edge-alone.ts";
import { defaultValues, type ParameterGrid } from "../../client/policies/parameters.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";

export const tritonParameters = {
  /** The smallest preferred size, as a part of the largest batch; its doublings are preferred too. */
  preferredPart: { default: 1, candidates: [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1] },
  /** `max_queue_delay_microseconds` as a part of the SLO. */
  queueDelayPart: { default: 0, candidates: [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4] },
  /** `default_timeout_microseconds` as a part of the SLO. */
  timeoutPart: { default: 1, candidates: [0.5, 0.6, 0.7, 0.8, 0.9, 1] },
} as const satisfies ParameterGrid;

export interface DynamicBatching {
  /** Ascending. */
  readonly preferredRows: readonly number[];
  readonly maxRows: number;
  readonly queueDelayMs: number;
}

export function tritonPolicy(
  { targets, sloMs }: Pick<PolicyInputs, "targets" | "sloMs">,
  values = defaultValues(tritonParameters),
): Policy {
  const edge = edgeAmong(targets);
  const maxRows = edge.profile.maxBatchRows;
  const batching: DynamicBatching = {
    preferredRows: doublings(Math.max(1, Math.round(values.preferredPart * maxRows)), maxRows),
    maxRows,
    queueDelayMs: values.queueDelayPart * sloMs,
  };
  return { name: "triton", decide: (view) => decide(view, edge, batching, values.timeoutPart) };
}

function doublings(fromRows: number, maxRows: number): number[] {
  const sizes: number[] = [];
  for (let rows = fromRows; rows < maxRows; rows *= 2) sizes.push(rows);
  return [...sizes, maxRows];
}

function decide(view: QueueView, edge: Edge, batching: DynamicBatching, timeoutPart: number): Decision {
  const { nowMs, line, draining } = view;
  const freeAtMs = replicaFreeAtMs(view, edge);
  if (freeAtMs > nowMs) return { kind: "wait", untilMs: freeAtMs };
  const timeoutAtMs = timesOutAtMs(line.at(0), timeoutPart);
  if (nowMs >= timeoutAtMs) return { kind: "refuse", count: 1, reason: "late" };
  const batch = dynamicBatch(line, nowMs, batching);
  if (batch.kind === "wait" && !draining) {
    return { kind: "wait", untilMs: Math.min(batch.untilMs, timeoutAtMs) };
  }
  const reason = batch.kind === "wait" ? "drain" : batch.reason;
  return { kind: "dispatch", count: batch.count, target: edge.index, plannedRows: batching.maxRows, reason };
}

function timesOutAtMs({ arrivedAtMs, deadlineAtMs }: WaitingRequest, part: number): number {
  return arrivedAtMs + part * (deadlineAtMs - arrivedAtMs);
}

type DynamicBatch =
  | { readonly kind: "send"; readonly count: number; readonly reason: "full" | "timeout" }
  /** `count`: how many would be sent at `untilMs` if no more arrived. */
  | { readonly kind: "wait"; readonly count: number; readonly untilMs: number };

/** With a replica free: how many requests from the front are sent now, or until when they wait. */
export function dynamicBatch(
  line: LineView,
  nowMs: number,
  { preferredRows, maxRows, queueDelayMs }: DynamicBatching,
): DynamicBatch {
  const mostPreferred = preferredRows.at(-1) ?? maxRows;
  let count = 0;
  let rows = 0;
  let preferredCount = 0;
  let isFull = false;
  for (; count < line.length; count++) {
    const more = rows + line.at(count).rows;
    if (count > 0 && more > mostPreferred && preferredCount === 0) preferredCount = count;
    isFull = count > 0 && more > maxRows;
    if (isFull) break;
    rows = more;
    if (preferredRows.includes(rows)) preferredCount = count + 1;
  }
  const leavesAtMs = line.oldestArrivalMs() + queueDelayMs;
  const isDelayOver = queueDelayMs > 0 && nowMs >= leavesAtMs;
  if (preferredCount > 0 && !isDelayOver) return { kind: "send", count: preferredCount, reason: "full" };
  if (isFull || rows >= mostPreferred) return { kind: "send", count, reason: "full" };
  if (isDelayOver || queueDelayMs === 0) return { kind: "send", count, reason: "timeout" };
  return { kind: "wait", count, untilMs: leavesAtMs };
}
