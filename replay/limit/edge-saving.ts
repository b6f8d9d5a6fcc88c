/**
 * The most that the edge, which costs nothing more, can save of what requests would cost elsewhere. A batch with a
 * request of some stretch of time is sent and answered within that stretch plus one SLO. So the time of replicas and
 * uplink in it bounds what they can take: a fractional knapsack for each.
 */

/** The edge as the bound sees it. */
export interface LimitEdgeWork {
  readonly replicas: number;
  /** Least busy time of a replica by request, in milliseconds; Infinity when the edge cannot serve it. */
  readonly workMs: Float64Array;
  /** Upload time of one row, in milliseconds, at least 0. */
  readonly uploadMsPerRow: number;
  /** Longest time after its arrival that a request's batch may use the link or a replica: SLO less round trip. */
  readonly insideMs: number;
}

/** A stretch of arrivals [start, end) with the least bound on its saving so far. */
interface Stretch {
  readonly bin: number;
  readonly start: number;
  readonly end: number;
  savedAtMost: number;
}

const shortestBinMs = 250;

/**
 * Any partition of time into stretches gives a bound (ALGORITHMS 3.4). Stretches of 250 ms are joined in pairs up to the
 * whole, and each keeps the better of its own knapsacks and the sum of its halves: the best of all such partitions.
 *
 * @param arrivalsMs ascending, at least one
 * @param prices cost of each request elsewhere, finite
 */
export function mostSaving(arrivalsMs: Float64Array, prices: Float64Array, edge: LimitEdgeWork): number {
  const rankOf = ranksByDensity(prices, edge.workMs);
  let stretches = shortestStretches(arrivalsMs);
  for (let binMs = shortestBinMs; ; binMs *= 2) {
    for (const stretch of stretches) {
      const { start, end } = stretch;
      const lengthMs = Math.min(binMs, (arrivalsMs[end - 1] as number) - (arrivalsMs[start] as number));
      const timeMs = lengthMs + edge.insideMs;
      stretch.savedAtMost = Math.min(
        stretch.savedAtMost,
        stretchSaving(stretch, timeMs, prices, edge, rankOf),
      );
    }
    if (stretches.length === 1) return (stretches[0] as Stretch).savedAtMost;
    stretches = joinedByTwos(stretches);
  }
}

/** The smaller of two knapsacks: replica time, which begins after the first row's upload, and upload time. */
function stretchSaving(
  { start, end }: Stretch,
  timeMs: number,
  prices: Float64Array,
  { replicas, workMs, uploadMsPerRow }: LimitEdgeWork,
  rankOf: Uint32Array,
): number {
  const requests: number[] = [];
  let wholeWorkMs = 0;
  let wholePrice = 0;
  for (let i = start; i < end; i++) {
    if (workMs[i] === Infinity) continue;
    requests.push(i);
    wholeWorkMs += workMs[i] as number;
    wholePrice += prices[i] as number;
  }
  const replicaMs = replicas * Math.max(0, timeMs - uploadMsPerRow);
  const uploads = uploadMsPerRow > 0 ? timeMs / uploadMsPerRow : Infinity;
  let saving = wholePrice;
  if (wholeWorkMs > replicaMs) {
    requests.sort((a, b) => (rankOf[a] as number) - (rankOf[b] as number));
    saving = fractionalKnapsack(requests, prices, (i) => workMs[i] as number, replicaMs);
  }
  if (requests.length > uploads) {
    requests.sort((a, b) => (prices[b] as number) - (prices[a] as number));
    saving = Math.min(
      saving,
      fractionalKnapsack(requests, prices, () => 1, uploads),
    );
  }
  return saving;
}

/** Takes whole requests in the given order while they fit, then a part of the next one (Dantzig 1957). */
function fractionalKnapsack(
  requests: readonly number[],
  prices: Float64Array,
  weightOf: (request: number) => number,
  capacity: number,
): number {
  let left = capacity;
  let value = 0;
  for (const request of requests) {
    const weight = weightOf(request);
    const price = prices[request] as number;
    if (weight >= left) return value + (price * left) / weight;
    left -= weight;
    value += price;
  }
  return value;
}

/** Rank of each request by the saving of a millisecond of work on it, the most first. */
function ranksByDensity(prices: Float64Array, workMs: Float64Array): Uint32Array {
  const density = prices.map((price, i) => price / (workMs[i] as number));
  const order = Uint32Array.from({ length: prices.length }, (_, i) => i).sort(
    (a, b) => (density[b] as number) - (density[a] as number),
  );
  const rankOf = new Uint32Array(prices.length);
  order.forEach((request, rank) => (rankOf[request] = rank));
  return rankOf;
}

function shortestStretches(arrivalsMs: Float64Array): Stretch[] {
  const firstMs = arrivalsMs[0] as number;
  const stretches: Stretch[] = [];
  let start = 0;
  for (let end = 1; end <= arrivalsMs.length; end++) {
    const bin = Math.floor(((arrivalsMs[end - 1] as number) - firstMs) / shortestBinMs);
    const next = arrivalsMs[end];
    if (next !== undefined && Math.floor((next - firstMs) / shortestBinMs) === bin) continue;
    stretches.push({ bin, start, end, savedAtMost: Infinity });
    start = end;
  }
  return stretches;
}

/** Bins 2k and 2k + 1 become bin k; a bin without a neighbour stays as it is. */
function joinedByTwos(stretches: readonly Stretch[]): Stretch[] {
  const joined: Stretch[] = [];
  for (const { bin, start, end, savedAtMost } of stretches) {
    const half = Math.floor(bin / 2);
    const last = joined.at(-1);
    if (last?.bin === half) {
      joined[joined.length - 1] = {
        bin: half,
        start: last.start,
        end,
        savedAtMost: last.savedAtMost + savedAtMost,
      };
    } else joined.push({ bin: half, start, end, savedAtMost });
  }
  return joined;
}
