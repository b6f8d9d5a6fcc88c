/**
 * The edge alone, used as well as possible. It is never idle while a request waits. It takes the request with
 * the earliest deadline first, and as many others with it as that deadline allows. A batch is sent just in
 * time to follow the one in service. Requests that cannot meet their deadlines are refused at once. The
 * policy shows what the edge is worth without functions.
 *
 * Source: the edge's half of the policy "earliest deadline first with hopeless requests dropped"; its batch
 * size rule is Clipper's (Crankshaw et al., NSDI 2017, section 4.3.1) with a measured profile instead of
 * AIMD.
 */
import type { Decision, LineView, Policy, QueueView } from "../../client/policies/policy.ts";
import { readyAtMs, type TargetView } from "../../client/targets/target-view.ts";
import { batchFromFront } from "./batch-from-front.ts";
import { edgeAmong } from "./edge-alone.ts";
import { EdgeForecast, type EdgeOutlook } from "./edge-forecast.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";

/** The quantile of the service time that must meet the deadlines. */
const quantile = 0.95;
/** One batch in service and one on its way behind it. */
const batchesPerReplica = 2;

export function edgeOnlyPolicy({ targets }: Pick<PolicyInputs, "targets">): Policy {
  const { index, profile: edge } = edgeAmong(targets);
  const forecast = new EdgeForecast(edge, quantile);
  return {
    name: "edge-only",
    decide: (view) => decide(view, index, edge, forecast),
    sent: (batch) => forecast.sent(batch),
    ended: (batch) => {
      if (batch.target === index) forecast.ended(batch);
    },
  };
}

function decide(view: QueueView, index: number, profile: TargetProfile, forecast: EdgeForecast): Decision {
  const { nowMs, line } = view;
  const edge = view.targets[index] as TargetView;
  const readyMs = readyAtMs(edge.health(nowMs));
  const outlook = forecast.outlook(nowMs, Math.max(nowMs, readyMs));
  const hopeless = countHopeless(line, outlook, forecast);
  if (hopeless > 0) return { kind: "refuse", count: hopeless, reason: "late" };
  if (readyMs > nowMs) return { kind: "wait", untilMs: readyMs };
  const most = Math.min(edge.maxInFlight, batchesPerReplica * profile.replicas);
  if (edge.inFlight >= most) return { kind: "wait", untilMs: Infinity };
  const { count, rows } = batchFromFront(
    line,
    profile.maxBatchRows,
    (more) => forecast.answerAtMs(outlook, more) <= line.at(0).deadlineAtMs,
  );
  const dueAtMs = outlook.meanFreeAtMs - (profile.uploadMs[rows] as number) - profile.rttMs / 2;
  if (edge.inFlight >= profile.replicas && dueAtMs > nowMs) return { kind: "wait", untilMs: dueAtMs };
  const reason = rows === profile.maxBatchRows ? "full" : "deadline";
  return { kind: "dispatch", count, target: index, plannedRows: rows, reason };
}

/** Number of requests at the front that would be late even if they were sent next and alone. */
function countHopeless(line: LineView, outlook: EdgeOutlook, forecast: EdgeForecast): number {
  let count = 0;
  for (; count < line.length; count++) {
    const { rows, deadlineAtMs } = line.at(count);
    if (forecast.answerAtMs(outlook, rows) <= deadlineAtMs) break;
  }
  return count;
}
