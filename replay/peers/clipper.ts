/**
 * Clipper's adaptive batching. A container's largest batch grows by a fixed step while batches come back well
 * before the latency objective, and shrinks by 10 % when one comes back after it. With delayed batching, a
 * batch that is not full waits a little for more requests. A container is a replica of the edge, with one
 * batch in flight.
 *
 * Source: Crankshaw et al., NSDI 2017, sections 4.3.1 and 4.3.2, and the authors' prototype in Rust,
 * `update_batch_size_aimd` in `batching.rs`. The prototype steps by 2 from the size of the measured batch,
 * not from the limit, and keeps the size in the last tenth before the objective. Differences: replicas share
 * one limit, because a client does not see which of them served a batch; the delay starts with the oldest
 * request's arrival; only requests past their deadline are dropped, by the queue, as by Clipper's.
 */
import { type Decision, type Policy, type QueueView, requestsWithin } from "../../client/policies/policy.ts";
import { type Edge, edgeAmong, replicaFreeAtMs } from "./edge-alone.ts";
import { defaultValues, type ParameterGrid } from "../../client/policies/parameters.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";

export const clipperParameters = {
  /** Latency objective of a batch, from its sending to its answer, as a part of the SLO. */
  objectivePart: { default: 1, candidates: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1] },
  /** The additive increase, in rows. */
  stepRows: { default: 2, candidates: [1, 2, 4, 8, 16] },
  /** Longest wait for more requests, as a part of the SLO. */
  delayPart: { default: 0, candidates: [0, 0.01, 0.02, 0.05, 0.1, 0.2] },
} as const satisfies ParameterGrid;

const backoff = 0.9;
/** The last part of the objective, in which the batch size stays. */
const restPart = 0.1;

export function clipperPolicy(
  { targets, sloMs }: Pick<PolicyInputs, "targets" | "sloMs">,
  values = defaultValues(clipperParameters),
): Policy {
  const edge = edgeAmong(targets);
  const objectiveMs = values.objectivePart * sloMs;
  const delayMs = values.delayPart * sloMs;
  let limitRows = 1;
  return {
    name: "clipper",
    decide: (view) => decide(view, edge, limitRows, delayMs),
    ended: ({ target, rows, times, formedAtMs, endedAtMs }) => {
      if (target !== edge.index || times === undefined) return;
      const next = nextBatchRows(rows, endedAtMs - formedAtMs, { objectiveMs, stepRows: values.stepRows });
      limitRows = Math.min(edge.profile.maxBatchRows, next);
    },
  };
}

/**
 * The largest batch after a batch of `rows` rows took `latencyMs`; at least 1.
 *
 * @example
 * const objective = { objectiveMs: 100, stepRows: 2 };
 * [50, 95, 120].map((latencyMs) => nextBatchRows(10, latencyMs, objective)); // [12, 10, 9]
 */
export function nextBatchRows(
  rows: number,
  latencyMs: number,
  { objectiveMs, stepRows }: { readonly objectiveMs: number; readonly stepRows: number },
): number {
  if (latencyMs < objectiveMs * (1 - restPart)) return rows + stepRows;
  return latencyMs < objectiveMs ? rows : Math.max(1, Math.floor(rows * backoff));
}

function decide(view: QueueView, edge: Edge, limitRows: number, delayMs: number): Decision {
  const { nowMs, line, draining } = view;
  const freeAtMs = replicaFreeAtMs(view, edge);
  if (freeAtMs > nowMs) return { kind: "wait", untilMs: freeAtMs };
  const leavesAtMs = line.oldestArrivalMs() + delayMs;
  const isFull = line.rows >= limitRows;
  if (!isFull && !draining && nowMs < leavesAtMs) return { kind: "wait", untilMs: leavesAtMs };
  const reason = isFull ? "full" : draining ? "drain" : "timeout";
  const count = requestsWithin(line, limitRows);
  return { kind: "dispatch", count, target: edge.index, plannedRows: limitRows, reason };
}
