/**
 * BentoML's adaptive dispatcher. It keeps a batch open while the cost of waiting, over all its requests, is
 * below a decaying share of the mean wait of earlier calls. It cancels the oldest request when the whole
 * queue, sent now, would come back after `max_latency_ms`. It starts with some calls for training. It uses
 * the edge alone, with one batch in flight per replica.
 *
 * Source: bentoml/BentoML 1.4, `CorkDispatcher` in `src/bentoml/_internal/marshal/dispatcher.py`.
 * Differences: it decides at the exact moment instead of polling every millisecond (the interval stays in the
 * formula); a call lasts from its sending to its answer, over the edge's link; requests of several rows are
 * not split; requests are in order of their deadlines, which is the order of arrival when all have one SLO.
 */
import {
  type Decision,
  type Policy,
  type QueueView,
  requestsWithin,
} from "../../../client/policies/policy.ts";
import { edgeAmong, replicaFreeAtMs } from "../edge-alone.ts";
import { defaultValues, type ParameterGrid } from "../../../client/policies/parameters.ts";
import type { PolicyInputs } from "../../../client/policies/policy-inputs.ts";
import { CorkOptimizer } from "./cork-optimizer.ts";
import { CorkTraining } from "./cork-training.ts";

export const bentomlParameters = {
  /** `max_latency_ms` as a part of the SLO. */
  maxLatencyPart: { default: 1, candidates: [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] },
  /** `max_batch_size` as a part of the largest batch. */
  maxBatchPart: { default: 1, candidates: [1 / 8, 1 / 4, 1 / 2, 1] },
} as const satisfies ParameterGrid;

/** The dispatcher's polling interval. */
const tickMs = 1;
/** Factor by which the wait decays. */
const decay = 0.95;

interface Sent {
  readonly requests: number;
  readonly waitMs: number;
}

export function bentomlPolicy(
  { targets, sloMs }: Pick<PolicyInputs, "targets" | "sloMs">,
  values = defaultValues(bentomlParameters),
): Policy {
  const edge = edgeAmong(targets);
  const maxLatencyMs = values.maxLatencyPart * sloMs;
  const maxRows = Math.max(1, Math.round(values.maxBatchPart * edge.profile.maxBatchRows));
  const optimizer = new CorkOptimizer(maxLatencyMs);
  const training = new CorkTraining(optimizer, maxLatencyMs, maxRows);
  let leaving: Sent | undefined;
  const underWay = new Map<number, Sent>();

  return {
    name: "bentoml",
    decide: (view) => {
      const { line } = view;
      const freeAtMs = replicaFreeAtMs(view, edge);
      const next = training.isOver
        ? whenToCall(view, freeAtMs, { optimizer, maxLatencyMs, maxRows })
        : training.decide(view, freeAtMs);
      if (next !== "call") return next;
      const count = requestsWithin(line, maxRows);
      let rows = 0;
      for (let index = 0; index < count; index++) rows += line.at(index).rows;
      const reason = view.draining ? "drain" : rows >= maxRows ? "full" : "timeout";
      return { kind: "dispatch", count, target: edge.index, plannedRows: maxRows, reason };
    },
    took: ({ nowMs, line }, decision) => {
      if (decision.kind !== "dispatch") return;
      const waitMs = training.isOver ? nowMs - line.at(0).arrivedAtMs : 0;
      leaving = { requests: decision.count, waitMs };
      if (!training.isOver) training.called();
    },
    sent: ({ id }) => {
      if (leaving !== undefined) underWay.set(id, leaving);
    },
    ended: ({ id, formedAtMs, endedAtMs, times }) => {
      const sent = underWay.get(id);
      underWay.delete(id);
      if (sent === undefined || times === undefined) return;
      optimizer.ended({ ...sent, durationMs: endedAtMs - formedAtMs }, endedAtMs);
    },
  };
}

/**
 * What the dispatcher does after its training.
 *
 * @param freeAtMs when a replica can take a batch
 */
export function whenToCall(
  { nowMs, line, draining }: QueueView,
  freeAtMs: number,
  {
    optimizer,
    maxLatencyMs,
    maxRows,
  }: {
    readonly optimizer: Pick<CorkOptimizer, "perRequestMs" | "fixedMs" | "waitMs">;
    readonly maxLatencyMs: number;
    readonly maxRows: number;
  },
): Exclude<Decision, { kind: "dispatch" }> | "call" {
  const { perRequestMs, fixedMs, waitMs } = optimizer;
  const requests = line.length;
  const latencyMs = requests > 1 ? perRequestMs * requests + fixedMs : 0;
  const cancelAtMs = line.at(0).arrivedAtMs + maxLatencyMs - latencyMs;
  const isBusy = freeAtMs > nowMs;
  if (nowMs >= cancelAtMs && (requests > 1 || isBusy)) return { kind: "refuse", count: 1, reason: "late" };
  if (isBusy) return { kind: "wait", untilMs: Math.min(freeAtMs, cancelAtMs) };
  const newestAtMs = line.at(requests - 1).arrivedAtMs;
  const callAtMs = newestAtMs + (waitMs * decay) / requests - tickMs - perRequestMs;
  if (requests >= maxRows || draining || nowMs >= callAtMs) return "call";
  return { kind: "wait", untilMs: requests > 1 ? Math.min(callAtMs, cancelAtMs) : callAtMs };
}
