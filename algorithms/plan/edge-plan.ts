/** What the edge can take, with which batches, and what overflows although its mean rate suffices. */

export interface EdgeOption {
  /** Replicas, each of which serves one batch at a time: an integer from 1. */
  readonly replicas: number;
  /** Reserved latency of a batch by rows: network, service, margin, in milliseconds; non-decreasing. */
  readonly latencyMs: Float64Array;
  /** Mean time that a batch keeps a replica busy, by rows, in milliseconds. */
  readonly serviceMs: Float64Array;
  /** Rows a millisecond that the uplink carries. Default Infinity. */
  readonly uplinkRowsPerMs?: number;
}

export interface EdgePlan {
  /** The batch size with which the edge alone keeps up with the highest rate. */
  readonly criticalRows: number;
  /** That rate, in rows a millisecond; 0 when the edge serves in time but only without a queue. */
  readonly criticalPerMs: number;
  /** Batch size and throughput at the planned rate. Above the critical rate batches fill faster and may be larger. */
  readonly rows: number;
  readonly perMs: number;
  /** What limits the throughput. */
  readonly limit: "replicas" | "uplink";
}

/** Of batch sizes whose throughput differs by at most this share, the smallest is taken: it waits least. */
const throughputTolerance = 0.01;

/**
 * The throughput is X(b) = replicas * b / L(b), at most the uplink's rate, over batches that fill and are served
 * within the SLO: b / rate + L(b) <= SLO (ALGORITHMS 5b; a batch of one need not fill). At the critical rate the edge
 * is just kept busy, b / X(b) + L(b) <= SLO, which does not depend on the rate.
 *
 * Example: `const ms = Float64Array.of(0, 40, 50); planEdge({ replicas: 1, latencyMs: ms, serviceMs: ms }, 0.01,
 * 110).criticalRows` is `2`.
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

function mostThroughput(
  edge: EdgeOption,
  isFeasible: (rows: number, perMs: number) => boolean,
): Pick<EdgePlan, "rows" | "perMs"> | undefined {
  const feasible: Pick<EdgePlan, "rows" | "perMs">[] = [];
  for (let rows = 1; rows < Math.min(edge.latencyMs.length, edge.serviceMs.length); rows++) {
    const perMs = Math.min(replicaThroughput(edge, rows), edge.uplinkRowsPerMs ?? Infinity);
    if (isFeasible(rows, perMs)) feasible.push({ rows, perMs });
  }
  const most = feasible.reduce((best, { perMs }) => Math.max(best, perMs), 0);
  return feasible.find(({ perMs }) => perMs >= most * (1 - throughputTolerance));
}

/**
 * Requests a millisecond that a server does not take although its mean rate suffices, because arrivals come in clumps.
 * Model: a queue whose work is a Brownian motion between an empty and a full waiting room. With drift m = arrivals -
 * capacity, variance s^2 (of Poisson arrivals) and room W, the full room turns away m / (1 - exp(-2 m W / s^2)) (Harrison 1985, Brownian
 * Motion and Stochastic Flow Systems). Far below capacity that is almost 0, far above it is arrivals - capacity.
 *
 * Example: `overflow(0.1, 0.1, 5)` is `0.01`.
 *
 * @param arrivalsPerMs at least 0
 * @param capacityPerMs at least 0
 * @param waitingRoom how many requests may wait, above 0
 */
export function overflow(arrivalsPerMs: number, capacityPerMs: number, waitingRoom: number): number {
  if (arrivalsPerMs === 0) return 0;
  const drift = arrivalsPerMs - capacityPerMs;
  const scale = (2 * waitingRoom) / arrivalsPerMs;
  const x = scale * drift;
  if (Math.abs(x) < 1e-4) return (1 + x / 2) / scale;
  if (x < -500) return 0;
  return Math.min(arrivalsPerMs, drift / -Math.expm1(-x));
}
