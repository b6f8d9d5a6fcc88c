/**
 * A worker that pulls. Whenever a replica of the edge is free, it takes all waiting requests, up to the
 * largest batch, and drops those that could not meet their deadlines even alone. It models servers whose
 * workers take batches from one queue without a window (mosec, MLServer, Triton with a queue delay of 0),
 * with a deadline test in front. It uses no functions and predicts no batch's latency.
 *
 * Source: the dynamic batcher of Triton (`dynamic_batch_scheduler.cc`, `max_queue_delay_microseconds: 0`),
 * and its queue policy REJECT for requests whose timeout is over.
 */
import { type Decision, type Policy, type QueueView, requestsWithin } from "../../client/policies/policy.ts";
import { type Edge, edgeAmong, replicaFreeAtMs } from "./edge-alone.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { latenciesMs } from "../../client/policies/target-profile.ts";

/** The quantile of the service time that the deadline test uses. */
const quantile = 0.95;

export function greedyPolicy({ targets }: Pick<PolicyInputs, "targets">): Policy {
  const edge = edgeAmong(targets);
  const latencyMs = latenciesMs(edge.profile, quantile);
  return { name: "greedy", decide: (view) => decide(view, edge, latencyMs) };
}

function decide(view: QueueView, edge: Edge, latencyMs: readonly number[]): Decision {
  const { nowMs, line } = view;
  const freeAtMs = replicaFreeAtMs(view, edge);
  if (freeAtMs > nowMs) return { kind: "wait", untilMs: freeAtMs };
  const first = line.at(0);
  if (nowMs + (latencyMs[first.rows] as number) > first.deadlineAtMs) {
    return { kind: "refuse", count: 1, reason: "late" };
  }
  const { maxBatchRows } = edge.profile;
  const count = requestsWithin(line, maxBatchRows);
  return { kind: "dispatch", count, target: edge.index, plannedRows: maxBatchRows, reason: "full" };
}
