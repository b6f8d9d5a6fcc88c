/**
 * Functions alone, with deferred batching: a call is sent when it is full, or at the last moment at which its
 * oldest request can still be answered in time. So as many requests as possible share its fixed costs. It
 * uses the size whose call will cost least per request at the recent rate, and prefers sizes whose largest
 * call is in time even after a cold start. The policy shows what functions cost without an edge.
 *
 * Source: the greedy partition into maximal batches, which is optimal for affine costs and one size; sizes
 * are compared as in BATCH (Ali et al., SC 2020) and HarmonyBatch (Chen et al., IWQoS 2024), but for each
 * call.
 */
import type { Decision, LineView, Policy, QueueView } from "../../client/policies/policy.ts";
import { hasRoom, readyAtMs, type TargetView } from "../../client/targets/target-view.ts";
import { batchFromFront } from "./batch-from-front.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { functionsAmong, latenciesMs, type TargetProfile } from "../../client/policies/target-profile.ts";

/** The quantile of the service time that must meet the deadlines. */
const quantile = 0.99;
/** Rows over which the rate is taken. */
const rateWindow = 128;
/** Tolerance that keeps "exactly at the last moment" in time in spite of rounding, in milliseconds. */
const tieMs = 1e-6;

interface Size {
  readonly index: number;
  readonly profile: TargetProfile;
  /** By rows. */
  readonly latencyMs: readonly number[];
  /** Whether the SLO leaves time for a cold start before the largest call. */
  readonly canStart: boolean;
}

export function serverlessOnlyPolicy({ targets, sloMs }: Pick<PolicyInputs, "targets" | "sloMs">): Policy {
  const sizes = functionsAmong(targets).map(({ index, profile }): Size => {
    const latencyMs = latenciesMs(profile, quantile);
    const longestMs = latencyMs[profile.maxBatchRows] as number;
    return { index, profile, latencyMs, canStart: profile.coldStartMs + longestMs <= sloMs };
  });
  const rate = new ArrivalRate(rateWindow);
  let linkFreeAtMs = -Infinity;
  return {
    name: "serverless-only",
    arrived: (_, rows, nowMs) => rate.arrived(rows, nowMs),
    decide: (view) => decide(view, sizes, rate.perMs(view.nowMs), Math.max(view.nowMs, linkFreeAtMs)),
    sent: ({ target, rows, formedAtMs }) => {
      const { uploadMs } = targets[target] as TargetProfile;
      linkFreeAtMs = Math.max(formedAtMs, linkFreeAtMs) + (uploadMs[rows] as number);
    },
  };
}

/** @param sendAtMs when the uplink can take the next upload */
function decide(view: QueueView, sizes: readonly Size[], rowsPerMs: number, sendAtMs: number): Decision {
  const { nowMs, line } = view;
  const first = line.at(0);
  const slackMs = first.deadlineAtMs - sendAtMs + tieMs;
  const able = sizes.filter(({ latencyMs }) => (latencyMs[first.rows] ?? Infinity) <= slackMs);
  if (able.length === 0) return { kind: "refuse", count: 1, reason: "late" };
  const usable = able.filter(({ index }) => hasRoom(view.targets[index] as TargetView, nowMs));
  if (usable.length === 0) return { kind: "wait", untilMs: resumeAtMs(view, able) };
  const patient = usable.filter(({ canStart }) => canStart);
  const size = cheapest(patient.length > 0 ? patient : usable, line, rowsPerMs, slackMs);
  const { index, latencyMs, profile } = size;
  const wanted = Math.min(line.rows, profile.maxBatchRows);
  const spareMs = slackMs - (latencyMs[wanted] as number);
  const isFull = line.rows >= profile.maxBatchRows;
  if (!isFull && !view.draining && spareMs > 2 * tieMs)
    return { kind: "wait", untilMs: nowMs + spareMs - tieMs };
  const { count, rows } = batchFromFront(
    line,
    profile.maxBatchRows,
    (more) => (latencyMs[more] as number) <= slackMs,
  );
  const reason = view.draining ? "drain" : isFull ? "full" : "deadline";
  return { kind: "dispatch", count, target: index, plannedRows: rows, reason };
}

/** When the first of these sizes is no longer paused; one that is only full resumes with its next result. */
function resumeAtMs({ targets, nowMs }: QueueView, sizes: readonly Size[]): number {
  let resumeMs = Infinity;
  for (const { index } of sizes) {
    const readyMs = readyAtMs((targets[index] as TargetView).health(nowMs));
    if (readyMs > nowMs) resumeMs = Math.min(resumeMs, readyMs);
  }
  return resumeMs;
}

/** The size whose call, filled until its last moment, costs least per row. */
function cheapest(sizes: readonly Size[], line: LineView, rowsPerMs: number, slackMs: number): Size {
  let best = sizes[0] as Size;
  let leastCost = Infinity;
  for (const size of sizes) {
    const rows = rowsAtLast(size, line.rows, rowsPerMs, slackMs);
    const cost = (size.profile.costs[rows] as number) / rows;
    if (cost < leastCost) {
      best = size;
      leastCost = cost;
    }
  }
  return best;
}

/** Rows of a call of that size if it waits as long as it can. */
function rowsAtLast(
  { latencyMs, profile }: Size,
  waiting: number,
  rowsPerMs: number,
  slackMs: number,
): number {
  let rows = 1;
  while (rows < profile.maxBatchRows) {
    const spareMs = slackMs - (latencyMs[rows + 1] as number);
    const isThere = rows < waiting ? spareMs >= 0 : waiting + spareMs * rowsPerMs >= rows + 1;
    if (!isThere) break;
    rows++;
  }
  return rows;
}

/**
 * The arrival rate over the most recent rows. It is taken over a window of arrival times, because what fills
 * a batch is what arrives next.
 */
export class ArrivalRate {
  readonly #atMs: Float64Array;
  #seen = 0;

  /** @param window number of rows that the rate is taken over, an integer from 1 */
  constructor(window: number) {
    this.#atMs = new Float64Array(window);
  }

  arrived(rows: number, nowMs: number): void {
    for (let row = 0; row < rows; row++) this.#atMs[this.#seen++ % this.#atMs.length] = nowMs;
  }

  /** Rows per millisecond up to now; 0 before the first arrival, Infinity when all rows arrived just now. */
  perMs(nowMs: number): number {
    const rows = Math.min(this.#seen, this.#atMs.length);
    if (rows === 0) return 0;
    const oldestAtMs = this.#atMs[
      this.#seen <= this.#atMs.length ? 0 : this.#seen % this.#atMs.length
    ] as number;
    return rows / (nowMs - oldestAtMs);
  }
}
