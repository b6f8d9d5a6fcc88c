/**
 * The most that edge workers, which cost nothing more, can save of what requests would cost elsewhere. A batch
 * with a request of some stretch of time is sent and answered within that stretch and one SLO, so the time that
 * workers and uplink have there bounds what they can take: a fractional knapsack for each.
 */

/** The edge as the bound sees it. */
export interface EdgeWork {
  readonly replicas: number;
  /** By request: the least busy time of a replica that it can stand for, in milliseconds; Infinity: never edge. */
  readonly workMs: Float64Array;
  /** Upload time of one row, in milliseconds, at least 0. */
  readonly uploadMsPerRow: number;
  /** How long after its arrival a request's batch may keep the link or a replica busy: SLO less round trip. */
  readonly insideMs: number;
}

/** A stretch of arrivals [start, end) with the least bound on its saving that was found. */
interface Stretch {
  readonly bin: number;
  readonly start: number;
  readonly end: number;
  savedAtMost: number;
}

const shortestBinMs = 250;

/**
 * Any partition of time into stretches gives a bound (ALGORITHMS 3.4). Stretches of 250 ms are joined by twos up
 * to the whole, and each keeps the better of its own knapsacks and the sum of its halves: the best partition among
 * all such.
 *
 * @param arrivalsMs ascending, at least one
 * @param prices by request: what it costs elsewhere, finite
 */
export function mostSaving(arrivalsMs: Float64Array, prices: Float64Array, edge: EdgeWork): number {
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

/** The smaller of the two knapsacks: replica time, which begins after the first row's upload, and upload time. */
function stretchSaving(
  { start, end }: Stretch,
  timeMs: number,
  prices: Float64Array,
  { replicas, workMs, uploadMsPerRow }: EdgeWork,
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

/** Requests in order of value over weight, whole as long as they fit, the next one in part (Dantzig 1957). */
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

/** By request its place in the order of what a millisecond of work on it saves, the most first. */
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

/** Bins 2k and 2k + 1 become bin k; a bin whose neighbour is empty stays as it is. */
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
