/**
 * Chooses, of the waiting requests of one key, those that run next and those that are given up. While all can be
 * answered in time, they run in the order of arrival and nothing is given up. When they cannot, the plan gives up as few as
 * possible, and of those the ones with the least time left: they would be late by a hair, or cut a batch short for all
 * others. A request without a deadline is never given up. Pure.
 */

/** What the plan must know of a request. */
export interface PlannedRequest {
  readonly rows: number;
  /** Infinity for none. */
  readonly deadlineAtMs: number;
  /** The lower, the sooner it runs. */
  readonly rank: number;
}

export interface PlanOptions<T> {
  readonly nowMs: number;
  /** Most rows of the batch, an integer from 1. */
  readonly mostRows: number;
  /** Batches of this key that run at a time, on average: its share of all replicas, above 0. */
  readonly parallel: number;
  /** How long a batch takes by its rows; `safeMs`: with a margin. `knownRows`: the most that this holds for. */
  readonly times: {
    expectedMs(rows: number): number;
    safeMs(rows: number): number;
    readonly knownRows: number;
  };
  /** Whether requests were given up or refused lately: then the time of a replica is worth what it could serve. */
  readonly isCrowded: boolean;
  /** Requests that are not judged by their deadline. */
  readonly spared: ReadonlySet<T>;
}

export interface DeadlinePlan<T> {
  /** Empty only when all are given up. */
  readonly batch: readonly T[];
  readonly givenUp: readonly T[];
}

/** A larger throughput must be larger by this factor to be worth giving requests up. */
const worthIt = 1.02;

/** Sizes times requests that a plan may look at, beyond which it looks at fewer sizes. */
const mostSteps = 4_096;

/**
 * @param line the waiting requests of one key by rank, and of one rank in the order of arrival
 * @example
 * const times = { expectedMs: (rows) => 40 + 15 * rows, safeMs: (rows) => 40 + 15 * rows, knownRows: 32 };
 * const line = [due(60), due(200), due(200)]; // three rows take 85 ms, the first alone 55 ms
 * planByDeadlines(line, { nowMs: 0, mostRows: 3, parallel: 1, times, isCrowded: false, spared: new Set() });
 * // batch: the first; givenUp: none, since the others are in time after it
 */
export function planByDeadlines<T extends PlannedRequest>(
  line: readonly T[],
  options: PlanOptions<T>,
): DeadlinePlan<T> {
  const { mostRows, times } = options;
  const ranks = byRank(line);
  if (line.every((each) => isPatient(each, options))) return { batch: filled(line, mostRows), givenUp: [] };
  const rows = line.reduce((sum, each) => sum + each.rows, 0);
  const sizes = sizesTo(Math.min(rows, mostRows, Math.max(1, times.knownRows)), line.length);
  // By deadline only where the order of arrival would not do.
  for (const ordered of [ranks, ranks.map((rank) => byDeadline(rank, options))]) {
    for (const size of sizes) {
      const kept = keptOf(ordered, size, options);
      if (kept.length === line.length) return { batch: filled(kept, size), givenUp: [] };
    }
  }
  const best = bestOf(
    ranks.map((rank) => byDeadline(rank, options)),
    sizes,
    options,
  );
  const kept = new Set(best.kept);
  return { batch: filled(best.kept, best.size), givenUp: line.filter((each) => !kept.has(each)) };
}

/** A size, the requests that are kept with it, and what speaks for it. */
interface Candidate<T> {
  readonly size: number;
  readonly kept: readonly T[];
  /** How many are kept of each rank but the last. */
  readonly urgent: readonly number[];
  readonly value: number;
  readonly ms: number;
}

/** The size with which the most requests are in time; those of a lower rank count first. */
function bestOf<T extends PlannedRequest>(
  ranks: readonly (readonly T[])[],
  sizes: readonly number[],
  options: PlanOptions<T>,
): Candidate<T> {
  const { isCrowded, times } = options;
  const candidates = sizes.map((size): Candidate<T> => {
    const kept = keptOf(ranks, size, options);
    const batch = filled(kept, size);
    // While more requests keep coming, what counts is how many a replica serves in a millisecond, else how many in all.
    const value = isCrowded ? batch.length / Math.max(times.expectedMs(sum(batch)), 1e-6) : kept.length;
    const urgent = ranks.slice(0, -1).map((line) => kept.filter(({ rank }) => rank === line[0]?.rank).length);
    return { size, kept, urgent, value, ms: (sum(kept) / size) * times.expectedMs(size) };
  });
  return candidates.reduce((best, next) => (isBetter(next, best, isCrowded) ? next : best));
}

function isBetter(
  next: Candidate<PlannedRequest>,
  best: Candidate<PlannedRequest>,
  isCrowded: boolean,
): boolean {
  for (const [index, count] of next.urgent.entries()) {
    const other = best.urgent[index] as number;
    if (count !== other) return count > other;
  }
  if (isCrowded) return next.value > best.value * worthIt;
  return next.value > best.value || (next.value === best.value && next.ms < best.ms);
}

/** The requests that are in time when those before them run first, in batches of that many rows. */
function keptOf<T extends PlannedRequest>(
  ranks: readonly (readonly T[])[],
  size: number,
  options: PlanOptions<T>,
): T[] {
  const kept: T[] = [];
  let before = 0;
  for (const rank of ranks) {
    const ofRank = keptOfRank(rank, before, size, options);
    kept.push(...ofRank);
    before += sum(ofRank);
  }
  return kept;
}

/**
 * Forwards, every request is kept that is in time at its place, which keeps as many as possible (a request that is left out
 * moves up those behind it by no more than the place that keeping it takes). Backwards, as many are then taken from the
 * end of the line as it allows, because those have the most time left.
 */
function keptOfRank<T extends PlannedRequest>(
  rank: readonly T[],
  from: number,
  size: number,
  options: PlanOptions<T>,
): T[] {
  let end = from;
  let patientRows = 0;
  const forwards: T[] = [];
  for (const each of rank) {
    const patient = isPatient(each, options);
    if (!patient && !isInTime(each, end, size, options)) continue;
    forwards.push(each);
    end += each.rows;
    if (patient) patientRows += each.rows;
  }
  if (forwards.length === rank.length) return forwards;
  const backwards: T[] = [];
  for (const each of rank.toReversed()) {
    const before = end - each.rows;
    if (isPatient(each, options)) patientRows -= each.rows;
    else if (before < from + patientRows || !isInTime(each, before, size, options)) continue;
    backwards.push(each);
    end = before;
  }
  return backwards.length < forwards.length ? forwards : backwards.toReversed();
}

function isInTime<T extends PlannedRequest>(
  { rows, deadlineAtMs }: T,
  rowsBefore: number,
  size: number,
  { nowMs, times, parallel }: PlanOptions<T>,
): boolean {
  const batchesBefore =
    rows > size ? Math.ceil(rowsBefore / size) : Math.floor((rowsBefore + rows - 1) / size);
  const waitMs = (batchesBefore * times.expectedMs(size)) / parallel;
  return nowMs + waitMs + times.safeMs(Math.max(rows, size)) <= deadlineAtMs;
}

/**
 * By deadline; those without one keep at least every second row. Both would starve otherwise: who has no deadline behind
 * those who have one, and who has one behind a long line of those who can wait.
 */
function byDeadline<T extends PlannedRequest>(rank: readonly T[], options: PlanOptions<T>): T[] {
  const patient = rank.filter((each) => isPatient(each, options));
  const timed = rank
    .filter((each) => !isPatient(each, options))
    .sort((a, b) => a.deadlineAtMs - b.deadlineAtMs);
  const merged: T[] = [];
  let ahead = 0;
  for (let [p, t] = [0, 0]; p < patient.length || t < timed.length;) {
    const takesPatient = t >= timed.length || (p < patient.length && ahead >= 0);
    const next = (takesPatient ? patient[p++] : timed[t++]) as T;
    ahead += takesPatient ? -next.rows : next.rows;
    merged.push(next);
  }
  return merged;
}

function isPatient<T extends PlannedRequest>(request: T, { spared }: PlanOptions<T>): boolean {
  return request.deadlineAtMs === Infinity || spared.has(request);
}

function byRank<T extends PlannedRequest>(line: readonly T[]): T[][] {
  const ranks: T[][] = [];
  for (const each of line) {
    if (ranks.at(-1)?.[0]?.rank === each.rank) ranks.at(-1)?.push(each);
    else ranks.push([each]);
  }
  return ranks;
}

/** The first request, and behind it in order those that still fit. */
export function filled<T extends PlannedRequest>(line: readonly T[], mostRows: number): T[] {
  const batch: T[] = [];
  let rows = 0;
  for (const each of line) {
    if (batch.length > 0 && rows + each.rows > mostRows) continue;
    batch.push(each);
    rows += each.rows;
    if (rows >= mostRows) break;
  }
  return batch;
}

/**
 * The largest size and those below it, falling: all of them, or where that would be too much work, the powers of two and
 * the middle between each two.
 */
function sizesTo(most: number, requests: number): number[] {
  if (most * requests <= mostSteps) return Array.from({ length: most }, (_, index) => most - index);
  const sizes = [most];
  for (let size = 2 ** Math.floor(Math.log2(most)); size >= 1; size /= 2) {
    for (const each of [1.5 * size, size]) if (each < most && Number.isInteger(each)) sizes.push(each);
  }
  return sizes;
}

function sum(requests: readonly PlannedRequest[]): number {
  return requests.reduce((rows, each) => rows + each.rows, 0);
}
