/** What the edge can take: its critical batch size and rate, and the batch size at a given rate. */

export interface EdgeOption {
  /** Replicas, each of which serves one batch at a time: an integer from 1. */
  readonly replicas: number;
  /** Reserved latency of a batch by rows: network, service, margin, in milliseconds; non-decreasing. */
  readonly latencyMs: Float64Array;
  /** Mean time that a replica is busy with a batch, by rows, in milliseconds. */
  readonly serviceMs: Float64Array;
  /** Rows a millisecond that the uplink can carry. Default Infinity. */
  readonly uplinkRowsPerMs?: number;
}

export interface EdgePlan {
  /** The batch size with which the edge, alone, keeps up with the highest rate. */
  readonly criticalRows: number;
  /** That rate, in rows a millisecond; 0 when it can serve in time but no queue in front of it. */
  readonly criticalPerMs: number;
  /** Batch size and throughput at the planned rate: above the critical rate batches fill faster and may be larger. */
  readonly rows: number;
  readonly perMs: number;
  /** What limits the throughput. */
  readonly limit: "replicas" | "uplink";
}

/** Of batch sizes whose throughput differs by no more than this share the smallest is taken: it waits least. */
const throughputTolerance = 0.01;

/**
 * X(b) = replicas * b / L(b), at most the uplink's rate, for batches that fill and are served within the SLO:
 * b / rate + L(b) <= SLO (ALGORITHMS 5b; a batch of one need not fill). At the critical rate the edge is just
 * kept busy, b / X(b) + L(b) <= SLO, which does not depend on the rate.
 *
 * @param arrivalsPerMs at least 0
 * @returns undefined when the edge cannot even serve a single row within the SLO
 */
export function planEdge(edge: EdgeOption, arrivalsPerMs: number, sloMs: number): EdgePlan | undefined {
  const { latencyMs } = edge;
  const lone = latencyMs[1];
  if (lone === undefined || lone > sloMs) return undefined;
  const critical = mostThroughput(
    edge,
    (rows, perMs) => rows / perMs + (latencyMs[rows] as number) <= sloMs,
  ) ?? { rows: 1, perMs: 0 };
  const filling = mostThroughput(
    edge,
    (rows) => rows === 1 || rows / arrivalsPerMs + (latencyMs[rows] as number) <= sloMs,
  );
  const now = filling === undefined || filling.perMs < critical.perMs ? critical : filling;
  const isUplink = replicaThroughput(edge, now.rows) > (edge.uplinkRowsPerMs ?? Infinity);
  return {
    criticalRows: critical.rows,
    criticalPerMs: critical.perMs,
    rows: now.rows,
    perMs: now.perMs,
    limit: isUplink ? "uplink" : "replicas",
  };
}

function replicaThroughput({ replicas, serviceMs }: EdgeOption, rows: number): number {
  return (replicas * rows) / (serviceMs[rows] as number);
}

interface Throughput {
  readonly rows: number;
  readonly perMs: number;
}

function mostThroughput(
  edge: EdgeOption,
  isFeasible: (rows: number, perMs: number) => boolean,
): Throughput | undefined {
  const feasible: Throughput[] = [];
  for (let rows = 1; rows < Math.min(edge.latencyMs.length, edge.serviceMs.length); rows++) {
    const perMs = Math.min(replicaThroughput(edge, rows), edge.uplinkRowsPerMs ?? Infinity);
    if (isFeasible(rows, perMs)) feasible.push({ rows, perMs });
  }
  const most = feasible.reduce((best, { perMs }) => Math.max(best, perMs), 0);
  return feasible.find(({ perMs }) => perMs >= most * (1 - throughputTolerance));
}
