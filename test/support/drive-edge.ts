/** Drives a policy that uses the edge alone: one-row requests, one replica, no network, service times by rows. */
import type { LineView, Policy, WaitingRequest } from "../../client/policies/policy.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { ask, shownTarget } from "./asked-policy.ts";

export interface DrivenEdge {
  readonly sloMs: number;
  readonly maxBatchRows: number;
  readonly serviceMs: (rows: number) => number;
}

export interface Driven {
  /** Moments of the batches, and their rows. */
  readonly calls: (readonly [atMs: number, rows: number])[];
  /** Moments at which the refused ones had arrived. */
  readonly refused: number[];
}

export function lineOf(waiting: readonly WaitingRequest[]): LineView {
  return {
    key: "",
    length: waiting.length,
    rows: waiting.reduce((sum, { rows }) => sum + rows, 0),
    at: (index) => waiting[index] as WaitingRequest,
    oldestArrivalMs: () => Math.min(...waiting.map(({ arrivedAtMs }) => arrivedAtMs)),
  };
}

/** @param arrivalsMs ascending */
export function driveEdge(
  make: (inputs: PolicyInputs) => Policy,
  { sloMs, maxBatchRows, serviceMs }: DrivenEdge,
  arrivalsMs: readonly number[],
): Driven {
  const byRows = Array.from({ length: maxBatchRows + 1 }, (_, rows) => (rows === 0 ? 0 : serviceMs(rows)));
  const none = byRows.map(() => 0);
  const latencies = { meanServiceMs: byRows, serviceMs: () => byRows, uploadMs: none, costs: none, rttMs: 0 };
  const free = { costOf: () => 0, coldStartMs: 0, idleMs: Infinity };
  const edge = { name: "edge", kind: "edge" as const, replicas: 1, maxBatchRows, ...latencies, ...free };
  const policy = make({ targets: [edge], sloMs, sloQuantile: 0.99, currency: "USD", onPlan: () => {} });
  const driven: Driven = { calls: [], refused: [] };
  const waiting: WaitingRequest[] = [];
  let underWay: { readonly rows: number; readonly formedAtMs: number; readonly endsAtMs: number } | undefined;
  let wakeAtMs = Infinity;
  let next = 0;

  const decide = (nowMs: number): void => {
    wakeAtMs = Infinity;
    while (waiting[0] !== undefined) {
      if (waiting[0].deadlineAtMs <= nowMs) {
        driven.refused.push((waiting.shift() as WaitingRequest).arrivedAtMs);
        continue;
      }
      const target = shownTarget({
        name: "edge",
        kind: "edge",
        underWay: underWay === undefined ? [] : [underWay],
        maxInFlight: 8,
        latencyMs: () => 0,
      });
      const view = { nowMs, line: lineOf(waiting), targets: [target], draining: false };
      const decision = ask(policy, view, driven.calls.length);
      if (decision.kind === "wait") {
        wakeAtMs = Math.min(decision.untilMs, waiting[0].deadlineAtMs);
        return;
      }
      const taken = waiting.splice(0, decision.count);
      if (decision.kind === "refuse") {
        driven.refused.push(...taken.map(({ arrivedAtMs }) => arrivedAtMs));
        continue;
      }
      driven.calls.push([nowMs, taken.length]);
      underWay = { rows: taken.length, formedAtMs: nowMs, endsAtMs: nowMs + serviceMs(taken.length) };
    }
  };

  for (;;) {
    const nowMs = Math.min(underWay?.endsAtMs ?? Infinity, arrivalsMs[next] ?? Infinity, wakeAtMs);
    if (nowMs === Infinity) return driven;
    if (underWay?.endsAtMs === nowMs) {
      const { rows, formedAtMs } = underWay;
      underWay = undefined;
      const times = { serviceMs: nowMs - formedAtMs, serverQueuedMs: 0, coldStartMs: 0 };
      const batch = { id: driven.calls.length - 1, target: 0, key: "", rows, formedAtMs };
      policy.ended?.({ ...batch, bytes: 0, endedAtMs: nowMs, times, late: 0 });
    }
    if (arrivalsMs[next] === nowMs) {
      waiting.push({ rows: 1, bytes: 0, arrivedAtMs: nowMs, deadlineAtMs: nowMs + sloMs, attempts: 0 });
      policy.arrived?.("", 1, nowMs);
      next++;
    }
    decide(nowMs);
  }
}
