/**
 * How large batches become when each is kept open as long as its requests can afford, and which cap makes a request
 * cheapest. Exact for Poisson arrivals: no simulation, no mean-value shortcut.
 */

/** Requests that share batches and have the same SLO. */
export interface RequestClass {
  /** At least 0. */
  readonly arrivalsPerMs: number;
  readonly sloMs: number;
}

/** Smaller chances count as 0. */
const negligible = 1e-12;

/**
 * The chances that a batch gets at least k requests, by k from 0 to the cap (1 at index 0 and 1). A request joins a
 * batch of k - 1 if every request in it is no older than its SLO less `latencyMs[k]`: it can still be served in time
 * in a batch of k. Otherwise the batch leaves and the request opens the next one.
 *
 * One class: P(K >= k + 1) = P(Poisson(rate * span(k + 1)) >= k) with span = SLO - latency (ALGORITHMS 2.4).
 * Several: look back from the newest request. The k points of the Poisson process before it must each be of a class
 * that can afford their age. The share p(age) of such classes falls in steps at the spans. With G(a), the integral of
 * rate * p over ages up to a, P(K >= k + 1) is the sum over the steps [a, b) of H(a) - H(b), where
 * H(x) = exp(-rate x) * sum over j < k of p^(k - j) G(x)^j / j!.
 *
 * Example: `batchSizeTails([{ arrivalsPerMs: 0, sloMs: 100 }], [0, 50, 70, 120])` is `[1, 1, 0]`: nothing follows the
 * first request, and three rows would be late.
 *
 * @param classes at least one; the first request of a batch is of each class in proportion to the rates
 * @param latencyMs reserved latency by rows, non-decreasing; index 0 unused
 * @returns chances up to the largest batch that every class can afford; of length 1 when not even one request can
 */
export function batchSizeTails(classes: readonly RequestClass[], latencyMs: ArrayLike<number>): Float64Array {
  const shortestSloMs = Math.min(...classes.map(({ sloMs }) => sloMs));
  let cap = 0;
  while (cap + 1 < latencyMs.length && (latencyMs[cap + 1] as number) <= shortestSloMs) cap++;
  const tails = new Float64Array(cap + 1).fill(1, 0, 2);
  const sorted = [...classes].sort((a, b) => a.sloMs - b.sloMs);
  let logFactorial = 0;
  for (let followers = 1; followers < cap; followers++) {
    if (followers > 1) logFactorial += Math.log(followers - 1);
    const tail = joinChance(sorted, followers, latencyMs[followers + 1] as number, logFactorial);
    if (tail < negligible) break;
    tails[followers + 1] = Math.min(tail, tails[followers] as number);
  }
  return tails;
}

/** The chance of a batch of followers + 1. `logFactorial` is ln((followers - 1)!); classes by SLO. */
function joinChance(
  classes: readonly RequestClass[],
  followers: number,
  latencyMs: number,
  logFactorial: number,
): number {
  const rate = classes.reduce((sum, { arrivalsPerMs }) => sum + arrivalsPerMs, 0);
  if (rate === 0) return 0;
  let chance = 0;
  let patientRate = rate;
  let fromMs = 0;
  let patientBefore = 0;
  for (const { arrivalsPerMs, sloMs } of classes) {
    const toMs = sloMs - latencyMs;
    const share = patientRate / rate;
    const patientUntil = patientBefore + patientRate * (toMs - fromMs);
    if (toMs > fromMs && share > 0) {
      chance +=
        reached(rate * fromMs, patientBefore, share, followers, logFactorial) -
        reached(rate * toMs, patientUntil, share, followers, logFactorial);
    }
    patientRate = Math.max(0, patientRate - arrivalsPerMs);
    patientBefore = patientUntil;
    fromMs = toMs;
  }
  return chance;
}

/** H of `batchSizeTails`, summed from the last term down, each derived from the one after it: nothing overflows. */
function reached(
  expected: number,
  patient: number,
  share: number,
  followers: number,
  logFactorial: number,
): number {
  if (patient <= 0) return Math.exp(followers * Math.log(share) - expected);
  const logPatient = Math.log(patient);
  let term = Math.exp((followers - 1) * logPatient - expected - logFactorial) * share;
  // When the last term underflows, the terms before it may still count.
  if (term < 1e-280) return reachedInLogs(expected, logPatient, share, followers, logFactorial);
  let sum = term;
  for (let j = followers - 1; j > 0; j--) {
    const next = (term * j * share) / patient;
    sum += next;
    if (next < term && next < sum * 1e-17) break;
    term = next;
  }
  return sum;
}

function reachedInLogs(
  expected: number,
  logPatient: number,
  share: number,
  followers: number,
  logFactorial: number,
): number {
  let sum = 0;
  let logTerm = (followers - 1) * logPatient - expected - logFactorial + Math.log(share);
  for (let j = followers - 1; j >= 0; j--) {
    sum += Math.exp(logTerm);
    logTerm += Math.log(j) + Math.log(share) - logPatient;
  }
  return sum;
}

export interface BatchCost {
  /** Cap of the batch size. */
  readonly maxRows: number;
  readonly meanRows: number;
  readonly costPerRequest: number;
  /** Mean service time of a batch, in milliseconds. */
  readonly meanServiceMs: number;
}

/**
 * The batch cap with the least expected cost a request: E[c(K)] / E[K], by renewal. Every cap is tried, because
 * rounding makes the cost of a call a step function. Of equal costs the smaller cap wins.
 *
 * Example: `cheapestCap([1, 1, 1], { cost: [0, 3, 4], serviceMs: [0, 10, 15] })` is `{ maxRows: 2, meanRows: 2,
 * costPerRequest: 2, meanServiceMs: 15 }`.
 *
 * @param costs tables by rows: the expected cost of a call and its mean service time; index 0 unused
 * @param tails chances that a batch gets at least k requests, from `batchSizeTails`
 * @returns undefined when not even a batch of one is in time
 */
export function cheapestCap(
  tails: ArrayLike<number>,
  { cost, serviceMs }: Readonly<Record<"cost" | "serviceMs", ArrayLike<number>>>,
): BatchCost | undefined {
  let best: BatchCost | undefined;
  // Sums over the batches below the cap; all others have the size of the cap.
  let below = { rows: 0, cost: 0, serviceMs: 0 };
  for (let cap = 1; cap < Math.min(tails.length, cost.length); cap++) {
    const atLeast = tails[cap] as number;
    const meanRows = below.rows + atLeast * cap;
    const costPerRequest = (below.cost + atLeast * (cost[cap] as number)) / meanRows;
    if (best === undefined || costPerRequest < best.costPerRequest * (1 - 1e-9)) {
      const meanServiceMs = below.serviceMs + atLeast * (serviceMs[cap] as number);
      best = { maxRows: cap, meanRows, costPerRequest, meanServiceMs };
    }
    const exactly = atLeast - (tails[cap + 1] ?? 0);
    below = {
      rows: below.rows + exactly * cap,
      cost: below.cost + exactly * (cost[cap] as number),
      serviceMs: below.serviceMs + exactly * (serviceMs[cap] as number),
    };
    if ((tails[cap + 1] ?? 0) === 0) break;
  }
  return best;
}
