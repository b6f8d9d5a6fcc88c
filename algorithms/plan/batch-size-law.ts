/**
 * How large batches become when each is kept open as long as its requests can afford. Poisson arrivals, exact:
 * no simulation, no mean-value shortcut.
 */

/** Requests that share batches and have one SLO in common. */
export interface RequestClass {
  /** Above 0 or 0. */
  readonly arrivalsPerMs: number;
  readonly sloMs: number;
}

/** A chance below this counts as none. */
const negligible = 1e-12;

/**
 * The chances that a batch gets at least k requests, by k from 0 to the cap (index 0 and 1: 1). A request joins a
 * batch of k - 1 when all in it, the oldest of each class first, can still wait for it and then be served as k:
 * when every one of them is no older than its SLO less `latencyMs[k]`. Else the batch leaves and it opens the next.
 *
 * One class: P(K >= k + 1) = P(Poisson(rate * span(k + 1)) >= k) with span = SLO - latency (ALGORITHMS 2.4).
 * Several: looking back from the newest request, points of a Poisson process are k times in a row of a class that
 * can afford their age. That share p(age) falls in steps at the spans, so with G(a) the integral of rate * p over
 * ages up to a, P(K >= k + 1) is the sum over the steps [a, b) of H(a) - H(b), where
 * H(x) = exp(-rate x) * sum over j < k of p^(k - j) G(x)^j / j!.
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

/** H of `batchSizeTails`, summed from the last term down, each made of the one after it: nothing overflows. */
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
  // Where the last term is hardly a number any more, those before it may still count.
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
