/**
 * The liveness checker of the queue: no request is lost while a target that is up had room and time for it. It reads
 * what truly happened at the targets, and nothing that the queue believes.
 *
 * A request is lost when it is refused, fails, or is answered late. A target could have served it when all this holds:
 *
 * - It was well from the moment `usable` until the request's deadline. `usable` is the latest of: the request's
 *   arrival; the end of its last call that failed or was late; and `noticeMs` after the target became well, plus one call of it, with which
 *   the queue notices. A target whose profile is wrong became well with the first arrival. Such a call does not
 *   count if its target was well, or had been unwell for `noticeMs` before, because the queue knows that by then: a request
 *   that only probes such a target must still have time for another one.
 * - It had room: a place of an edge was idle at a stretch, its uplink too, for as long as the request's upload, round trip and
 *   service take; or so many places of a function were free that its call window may have grown to one more.
 * - It had time: that stretch is longer than needed by a reserve, and by all stalls of the queue's machine.
 *
 * An idle stretch is nobody's: to serve the request there would have taken nothing from others. So a request that is lost in
 * overload is no violation as long as the targets were busy. Whether they were busy with the right requests is
 * what `goodput-limit.ts` bounds.
 */
import type { QueueEvent } from "../../client/queue/queue-event.ts";
import type { OutageRun } from "./outage-run.ts";
import { type OutageTarget, type OutageWorld, trueServiceMs } from "./outage-world.ts";

/** How long the queue may take to notice that a target is well again, or not as its profile says. */
const noticeMs = 5_000;
/** A careful queue keeps a reserve: parts of the time that a call takes and of the SLO, and a few milliseconds. */
const reserve = { ofCall: 0.3, ofSlo: 0.3, ms: 3 };
/** A target that never answers misleads for no longer than this. */
const longestMisleadMs = 35_000;
/** How long the queue remembers how late its timers come. */
const stallMemoryMs = 60_000;
/** A stall is usual after so many that were twice as long. */
const stallsThatTeach = 3;
/** A call that fails within this part of the SLO leaves time for others, whatever was known of its target. */
const quickFailure = 0.1;

/** A request that was lost although a target could have served it. */
export interface LivenessViolation {
  /** Index of the arrival. */
  readonly request: number;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** Outcome, and the code of the error or the target that answered. */
  readonly end: string;
  readonly target: string;
  /** When the target could have been used, and for how long it then was idle, where it is an edge. */
  readonly usableFromMs: number;
  readonly idleMs: number;
  readonly neededMs: number;
}

/** A call that a request was part of. */
interface RequestCall {
  readonly target: number;
  readonly formedAtMs: number;
  readonly endedAtMs: number;
  /** Undefined when it was answered. */
  readonly code: string | undefined;
}

/** What the queue did for one request. */
interface Life {
  arrivedAtMs: number;
  readonly calls: RequestCall[];
  isBarred: boolean;
}

/** What is asked of the whole run for each request. */
interface Facts {
  readonly world: OutageWorld;
  readonly run: OutageRun;
  /** By target: until when its calls take other times than its profile says, and nobody can know. */
  readonly misleadsUntilMs: readonly number[];
  /** Until when the queue waits for last moments that are too late, because a profile's times are too short. */
  readonly tooShortUntilMs: number;
  /** By target: when it answered that it is full. */
  readonly fullAtMs: readonly (readonly number[])[];
}

export function livenessViolations(world: OutageWorld, run: OutageRun): LivenessViolation[] {
  const lives = livesOf(world, run.events);
  const facts = factsOf(world, run);
  return world.arrivals.flatMap(({ rows, sloMs }, request) => {
    const { outcome, by } = run.ends[request] ?? { outcome: "failed", by: "never ended" };
    if (outcome === "served" || outcome === "cancelled") return [];
    const life = lives[request] as Life;
    const { arrivedAtMs } = life;
    if (hasUnusualStall(world, arrivedAtMs, arrivedAtMs + sloMs)) return [];
    if (facts.tooShortUntilMs > arrivedAtMs) return [];
    const lost = { request, rows, sloMs, arrivedAtMs, deadlineAtMs: arrivedAtMs + sloMs };
    for (const [index, target] of world.targets.entries()) {
      const found = couldServe(facts, life, lost, index);
      if (found === undefined) continue;
      const { deadlineAtMs } = lost;
      return [
        { request, arrivedAtMs, deadlineAtMs, end: `${outcome}: ${by}`, target: target.name, ...found },
      ];
    }
    return [];
  });
}

interface Lost {
  readonly rows: number;
  readonly sloMs: number;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
}

function couldServe(
  facts: Facts,
  life: Life,
  lost: Lost,
  index: number,
): Pick<LivenessViolation, "usableFromMs" | "idleMs" | "neededMs"> | undefined {
  const { world, run } = facts;
  const target = world.targets[index] as OutageTarget;
  const { rows, sloMs, arrivedAtMs, deadlineAtMs } = lost;
  // How long a larger batch than was ever measured takes, nobody knows.
  if (rows > target.maxBatch) return undefined;
  if (life.isBarred && target.kind === "serverless") return undefined;
  if (life.calls.some((call) => call.target === index && call.code === "target_denied")) return undefined;
  const callMs = target.coldStartMs + trueServiceMs(target, rows) + rows * target.uploadRowMs + target.rttMs;
  let usableFromMs = arrivedAtMs;
  for (const { target: failed, formedAtMs, endedAtMs } of life.calls) {
    const isNew =
      isNewlyUnwell(world.targets[failed] as OutageTarget, formedAtMs, endedAtMs) ||
      formedAtMs < (facts.misleadsUntilMs[failed] as number);
    const isQuick = endedAtMs - formedAtMs <= quickFailure * sloMs;
    if (isQuick || isNew) usableFromMs = Math.max(usableFromMs, endedAtMs);
  }
  const isWellSinceMs = wellSince(world, target, deadlineAtMs);
  if (isWellSinceMs === undefined) return undefined;
  const lastFullMs = facts.fullAtMs[index]?.findLast((atMs) => atMs < deadlineAtMs) ?? -Infinity;
  const wellSinceMs = Math.max(isWellSinceMs, lastFullMs);
  usableFromMs = Math.max(usableFromMs, wellSinceMs + noticeMs + callMs);
  const neededMs =
    callMs * (1 + reserve.ofCall) +
    reserve.ofSlo * Math.max(sloMs, world.sloMs) +
    reserve.ms +
    stalledMs(world, arrivedAtMs, deadlineAtMs);
  const idleMs =
    target.kind === "edge"
      ? longestIdleMs(target, index, run, usableFromMs, deadlineAtMs)
      : idleAtFunctionMs(target, index, run, { wellSinceMs, callMs, usableFromMs, deadlineAtMs });
  return idleMs > neededMs ? { usableFromMs, idleMs, neededMs } : undefined;
}

/** Since when a target is well at `untilMs` and was all the time; undefined when it is not. */
function wellSince(
  { arrivals }: OutageWorld,
  { spells, profileFactor, isMeasured }: OutageTarget,
  untilMs: number,
): number | undefined {
  const isAsProfiled = profileFactor === 1 && isMeasured;
  let sinceMs = isAsProfiled ? -Infinity : (arrivals[0]?.atMs ?? 0);
  for (const { fromMs, toMs } of spells) {
    if (fromMs > untilMs) break;
    if (toMs > untilMs) return undefined;
    sinceMs = Math.max(sinceMs, toMs);
  }
  return sinceMs;
}

/** Whether a target became unwell during a call, or so short a time before that the queue may not know it. */
function isNewlyUnwell(target: OutageTarget, fromMs: number, toMs: number): boolean {
  const fullMs = trueServiceMs(target, target.maxBatch);
  return target.spells.some((spell) => {
    // That a target is slow is seen when two of its slow batches have ended.
    const knownAfterMs = noticeMs + (spell.kind === "slow" ? 2 * spell.factor * fullMs : 0);
    return spell.fromMs < toMs && spell.toMs > fromMs && spell.fromMs >= fromMs - knownAfterMs;
  });
}

/**
 * Whether the machine stalls for longer than is usual for it: the reserve for late timers follows what it saw in the
 * minute before.
 */
function hasUnusualStall({ stalls }: OutageWorld, fromMs: number, toMs: number): boolean {
  const own = stalls.filter((stall) => stall.toMs > fromMs && stall.fromMs < toMs).map(lengthMs);
  const before = stalls
    .filter((stall) => stall.toMs > fromMs - stallMemoryMs && stall.toMs <= fromMs)
    .map(lengthMs);
  const longestMs = Math.max(0, ...own);
  return longestMs > 0 && before.filter((ms) => ms >= 2 * longestMs).length < stallsThatTeach;
}

function lengthMs({ fromMs, toMs }: OutageWorld["stalls"][number]): number {
  return toMs - fromMs;
}

/** How long the machine of the queue stalls around this time, twice: once for the way there and once for the way back. */
function stalledMs({ stalls }: OutageWorld, fromMs: number, toMs: number): number {
  let sumMs = 0;
  for (const stall of stalls) if (stall.toMs > fromMs && stall.fromMs < toMs) sumMs += lengthMs(stall);
  return 2 * sumMs;
}

/** The longest time at a stretch in which the uplink and a place of an edge were idle. */
function longestIdleMs(
  { places }: OutageTarget,
  index: number,
  { busy }: OutageRun,
  fromMs: number,
  toMs: number,
): number {
  let longestMs = 0;
  for (let place = 0; place < places; place++) {
    const own = busy
      .filter((span) => span.target === index && (span.place === undefined || span.place === place))
      .filter((span) => span.toMs > fromMs && span.fromMs < toMs)
      .sort((a, b) => a.fromMs - b.fromMs);
    let idleSinceMs = fromMs;
    for (const span of own) {
      longestMs = Math.max(longestMs, span.fromMs - idleSinceMs);
      idleSinceMs = Math.max(idleSinceMs, span.toMs);
    }
    longestMs = Math.max(longestMs, toMs - idleSinceMs);
  }
  return longestMs;
}

interface CallTimes {
  readonly wellSinceMs: number;
  readonly callMs: number;
  readonly usableFromMs: number;
  readonly deadlineAtMs: number;
}

/** How much time was left when a function first had room; 0 when it never had. */
function idleAtFunctionMs(
  { places }: OutageTarget,
  index: number,
  { busy }: OutageRun,
  { wellSinceMs, callMs, usableFromMs, deadlineAtMs }: CallTimes,
): number {
  const calls = busy.filter(({ target, place }) => target === index && place !== undefined);
  const changes = calls.map(({ toMs }) => toMs).filter((atMs) => atMs > usableFromMs && atMs < deadlineAtMs);
  for (const atMs of [usableFromMs, ...changes.sort((a, b) => a - b)]) {
    const underWay = calls.filter(({ fromMs, toMs }) => fromMs <= atMs && toMs > atMs).length;
    // After throttling a call window of 1 grows by one in the time of a call.
    const window = Math.min(places / 2, (atMs - wellSinceMs - noticeMs) / callMs / 2);
    if (underWay === 0 || underWay < window) return deadlineAtMs - atMs;
  }
  return 0;
}

function factsOf(world: OutageWorld, run: OutageRun): Facts {
  const firstAnswerMs = world.targets.map(() => Infinity);
  const fullAtMs = world.targets.map((): number[] => []);
  const targetOf = new Map<number, number>();
  for (const event of run.events) {
    if (event.kind === "batch")
      targetOf.set(
        event.id,
        world.targets.findIndex(({ name }) => name === event.target),
      );
    if (event.kind !== "result") continue;
    const target = targetOf.get(event.batch) as number;
    if (event.ok) firstAnswerMs[target] = Math.min(firstAnswerMs[target] as number, event.atMs);
    else if (event.code === "target_throttled") fullAtMs[target]?.push(event.atMs);
  }
  const misleadsUntilMs = world.targets.map(({ profileFactor, isMeasured }, target) =>
    profileFactor === 1 && isMeasured ? -Infinity : (firstAnswerMs[target] as number) + noticeMs,
  );
  const latestMs = (world.arrivals[0]?.atMs ?? 0) + longestMisleadMs;
  const tooShortUntilMs = Math.max(
    -Infinity,
    ...misleadsUntilMs.filter((_, target) => (world.targets[target] as OutageTarget).profileFactor < 1),
  );
  return { world, run, misleadsUntilMs, fullAtMs, tooShortUntilMs: Math.min(tooShortUntilMs, latestMs) };
}

function livesOf({ arrivals, targets }: OutageWorld, events: readonly QueueEvent[]): Life[] {
  const lives = arrivals.map(({ atMs }): Life => ({ arrivedAtMs: atMs, calls: [], isBarred: false }));
  const batches = new Map<number, QueueEvent & { readonly kind: "batch" }>();
  for (const event of events) {
    if (event.kind === "arrival") (lives[event.id] as Life).arrivedAtMs = event.atMs;
    if (event.kind === "barred") (lives[event.id] as Life).isBarred = true;
    if (event.kind === "batch") batches.set(event.id, event);
    if (event.kind !== "result") continue;
    const batch = batches.get(event.batch);
    const target = targets.findIndex(({ name }) => name === batch?.target);
    for (const id of batch?.requests ?? [])
      lives[id]?.calls.push({
        target,
        formedAtMs: batch?.atMs ?? 0,
        endedAtMs: event.atMs,
        code: event.ok ? undefined : event.code,
      });
  }
  return lives;
}
