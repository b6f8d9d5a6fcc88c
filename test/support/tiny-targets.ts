/** Targets with figures that are easy to add up, and lines of requests, for tests of what policies are made of. */
import { learnedTargets } from "../../client/policies/learned-targets.ts";
import type { EndedBatch, LineView, SentBatch } from "../../client/policies/policy.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";
import { EdgeModel } from "../../client/policies/spillway/edge-model.ts";
import { EdgeSchedule } from "../../client/policies/spillway/edge-schedule.ts";
import { EdgeChoice } from "../../client/policies/spillway/edge-choice.ts";
import { FunctionMenu } from "../../client/policies/spillway/functions/function-menu.ts";
import type { LearnedEdge } from "../../client/targets/learned-edge.ts";
import type { LearnedFunctions } from "../../client/targets/learned-functions.ts";

interface EdgeFacts {
  readonly meanMs?: (rows: number) => number;
  /** Standard deviation of every service time, as its quantile of 0.95 shows it. */
  readonly deviationMs?: number;
  readonly replicas?: number;
  readonly maxBatchRows?: number;
  readonly rowUploadMs?: number;
}

export interface SizeFacts {
  readonly name?: string;
  readonly firstMs?: number;
  readonly rowMs?: number;
  readonly maxBatchRows?: number;
  /** Service times are spread evenly from `firstMs` and so on to that much more of it. */
  readonly spread?: number;
  readonly coldStartMs?: number;
  readonly idleMs?: number;
  readonly costOf?: (serviceMs: number) => number;
}

/** Serves the first row in 10 ms and each further one in 5; a row takes 1 ms to upload, each way takes 2 ms. */
export function tinyEdge(facts: EdgeFacts = {}): TargetProfile {
  const { meanMs = (rows) => 5 + 5 * rows, deviationMs = 0, replicas = 1, maxBatchRows = 8 } = facts;
  const rowUploadMs = facts.rowUploadMs ?? 1;
  const highMs = 1.645 * deviationMs;
  // One in eight is high, and the others make up for it.
  const offMs = (quantile: number): number => (quantile > 7 / 8 ? highMs : -highMs / 7);
  return {
    name: "edge",
    kind: "edge",
    replicas,
    maxBatchRows,
    rttMs: 4,
    uploadMs: byRows(maxBatchRows, (rows) => rows * rowUploadMs),
    meanServiceMs: byRows(maxBatchRows, meanMs),
    costs: byRows(maxBatchRows, () => 0),
    coldStartMs: 0,
    idleMs: Infinity,
    costOf: () => 0,
    serviceMs: (quantile) => byRows(maxBatchRows, (rows) => meanMs(rows) + offMs(quantile)),
  };
}

/**
 * A size of function: serves the first row in 20 ms and each further one in 5, starts warm and costs as much as it
 * works; a row takes 1 ms to upload, each way takes 2 ms.
 */
export function tinySize(facts: SizeFacts = {}): TargetProfile {
  const { name = "f", firstMs = 20, rowMs = 5, maxBatchRows = 4, costOf = (ms) => ms } = facts;
  const { spread = 0 } = facts;
  const serviceMs = byRows(maxBatchRows, (rows) => firstMs + rowMs * (rows - 1));
  return {
    name,
    kind: "serverless",
    replicas: 10,
    maxBatchRows,
    rttMs: 4,
    uploadMs: byRows(maxBatchRows, (rows) => rows),
    meanServiceMs: serviceMs,
    costs: serviceMs.map((ms, rows) => (rows === 0 ? 0 : costOf(ms))),
    coldStartMs: facts.coldStartMs ?? 0,
    idleMs: facts.idleMs ?? 60_000,
    costOf,
    serviceMs: (quantile) => serviceMs.map((ms) => ms * (1 + spread * quantile)),
  };
}

/** A line of requests with these deadlines, of one row each unless `rows` says more. */
export function lineOf(deadlinesAtMs: readonly number[], rows: readonly number[] = []): LineView {
  const requests = deadlinesAtMs.map((deadlineAtMs, index) => {
    return { rows: rows[index] ?? 1, bytes: 0, arrivedAtMs: 0, deadlineAtMs, attempts: 0 };
  });
  return {
    key: "",
    length: requests.length,
    rows: requests.reduce((sum, each) => sum + each.rows, 0),
    at: (index) => requests[index] as (typeof requests)[number],
    oldestArrivalMs: () => 0,
  };
}

/** `count` requests with the same deadline. */
export function crowd(count: number, deadlineAtMs: number): LineView {
  return lineOf(Array.from({ length: count }, () => deadlineAtMs));
}

let batchesSent = 0;

/** A batch leaves for the first target, unless another one is named. */
export function send(
  to: { sent(batch: SentBatch): unknown },
  rows: number,
  formedAtMs: number,
  target = 0,
): SentBatch {
  const batch = { id: batchesSent++, target, key: "", rows, formedAtMs };
  to.sent(batch);
  return batch;
}

/** A batch that was answered, its service time unknown, unless `facts` say otherwise. */
export function ended(
  batch: SentBatch,
  endedAtMs: number,
  facts: Partial<Pick<EndedBatch, "times" | "late">> = {},
): EndedBatch {
  const times = { serviceMs: undefined, serverQueuedMs: undefined, coldStartMs: 0 };
  return { ...batch, endedAtMs, bytes: 0, late: 0, times, ...facts };
}

function byRows(maxRows: number, of: (rows: number) => number): number[] {
  return Array.from({ length: maxRows + 1 }, (_, rows) => (rows === 0 ? 0 : of(rows)));
}

/** The schedule of an edge of which nothing is learned unless it is given, with no reserve unless one is given. */
export function scheduleOf(profile: TargetProfile, reserve = 0, learned?: LearnedEdge): EdgeSchedule {
  const sloMs = 1_000;
  const own = learnedTargets({ targets: [profile], sloMs }).edges.get(0);
  const edge = (learned ?? own) as LearnedEdge;
  return new EdgeSchedule(new EdgeModel({ profile, edge, reserve, sloMs, lateShare: 0.01 }));
}

/** The menu of these sizes, with nothing reserved for slow calls unless a quantile is given. */
export function menuOf(
  profiles: readonly TargetProfile[],
  facts: {
    readonly sloMs?: number;
    readonly quantile?: number;
    readonly functions?: LearnedFunctions;
  } = {},
): FunctionMenu {
  const { sloMs = 1_000, quantile = 0 } = facts;
  const targets = [tinyEdge(), ...profiles];
  const functions = facts.functions ?? learnedTargets({ targets, sloMs }).functions;
  return new FunctionMenu({ targets, functions, quantile, lateShare: 0.01, sloMs });
}

/** The choice of an edge that is as it was profiled. */
export function choiceOf(profile: TargetProfile): EdgeChoice {
  const { uploadMs, meanServiceMs } = profile;
  return new EdgeChoice(profile, Float64Array.from(meanServiceMs), 1 / (uploadMs[1] as number));
}

/** When the schedule promises the answer to a batch: the earliest deadline for which it fits, found by halving. */
export function promisedAtMs(schedule: EdgeSchedule, replica: number, rows: number): number {
  let [late, inTime] = [-1e4, 1e6];
  while (inTime - late > 1e-7) {
    const middle = (late + inTime) / 2;
    if (schedule.fit(crowd(rows, middle), replica, 0, rows).count === rows) inTime = middle;
    else late = middle;
  }
  return inTime;
}
