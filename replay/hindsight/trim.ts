/**
 * Takes requests out of the calls of a schedule where that saves most, as many as may be lost. No call is dropped, so
 * every batch keeps its draw.
 */
import type { BatchSent } from "../world/batch-sent.ts";
import { playSchedule } from "./play.ts";
import type { HindsightWorld, PlannedBatch, Schedule } from "./schedule.ts";
import type { SearchSize, SearchWorld } from "./search-world.ts";

interface Cut {
  readonly batch: number;
  readonly requests: number;
  /** By request that is lost by it. */
  readonly saving: number;
}

/** @param most requests that may be lost more than now, from 0 */
export function withFewerRows(
  world: HindsightWorld,
  search: SearchWorld,
  schedule: Schedule,
  most: number,
): Schedule {
  const { atMs, rows } = world.arrivals;
  const cuts: Cut[] = [];
  const coldStarts: number[] = [];
  const late = new Uint8Array(atMs.length);
  playSchedule(world, schedule, {
    onBatch: ({ batch, end }: BatchSent) => {
      coldStarts[batch.id] = end.ok ? (end.call?.coldStartMs ?? 0) : 0;
      for (const { payload } of batch.parts) {
        if (!end.ok || end.seenAtMs - payload.arrivedAtMs > world.scenario.sloMs) late[payload.id] = 1;
      }
    },
  });
  schedule.forEach((batch, id) => {
    const size = search.sizes[batch.target - search.edges.length];
    if (size === undefined || batch.requests.length < 2 || late[batch.requests[0] as number] === 1) return;
    const cut = bestCut(batch, id, size, search.uOf(id), rows, coldStarts[id] as number);
    if (cut !== undefined) cuts.push(cut);
  });
  cuts.sort((a, b) => b.saving - a.saving);
  const shortened = [...schedule];
  let left = most;
  for (const { batch, requests } of cuts) {
    if (requests > left) continue;
    left -= requests;
    const planned = schedule[batch] as PlannedBatch;
    shortened[batch] = { ...planned, requests: planned.requests.slice(requests) };
  }
  return shortened;
}

/** The number of requests to take out of a call that saves most by request; undefined when none saves anything. */
function bestCut(
  { requests }: PlannedBatch,
  batch: number,
  size: SearchSize,
  u: number,
  rows: Uint32Array,
  coldStartMs: number,
): Cut | undefined {
  const costOf = (count: number): number => size.cost(size.serviceMs(count, u), coldStartMs);
  const all = requests.reduce((sum, request) => sum + (rows[request] as number), 0);
  const whole = costOf(all);
  let best: Cut | undefined;
  let left = all;
  for (let taken = 1; taken < requests.length; taken++) {
    left -= rows[requests[taken - 1] as number] as number;
    const saving = (whole - costOf(left)) / taken;
    if (saving > (best?.saving ?? 0)) best = { batch, requests: taken, saving };
  }
  return best;
}
