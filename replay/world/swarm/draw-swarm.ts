/** Draws a swarm from a seed. Each seed switches whole kinds of fault off, so that the others are met undisturbed. */
import type { Random } from "../../../base/random.ts";
import { randomStream } from "../../traces/random-stream.ts";
import type { FaultSpan, SwarmProcess, SwarmWorld } from "./swarm-world.ts";

/** How long calls come, and when the last fault is over. */
const busyMs = 20_000;
const quietMs = 40_000;

/**
 * @param seed an integer from 0 to 4294967295
 * @example drawSwarm(7).daemons.length; // 1 to 5
 */
export function drawSwarm(seed: number): SwarmWorld {
  const random = randomStream(seed, "swarm");
  const between = (least: number, most: number): number => least + random() * (most - least);
  const integer = (least: number, most: number): number => Math.floor(between(least, most + 1));
  const has = { kills: random() < 0.8, stalls: random() < 0.6, cuts: random() < 0.6, server: random() < 0.5 };
  const models = Array.from({ length: integer(1, 3) }, (_, index) => `m${index}`);
  const modelOf = (): string => models[integer(0, models.length - 1)] as string;
  const process = (name: string): SwarmProcess => ({
    name,
    kills: has.kills ? spans(random, integer(0, 2), 300, 4_000) : [],
    stalls: has.stalls ? spans(random, integer(0, 2), 50, 6_000) : [],
    cuts: has.cuts ? spans(random, integer(0, 2), 50, 6_000) : [],
    oneWayMs: between(0.1, 15),
  });
  const daemons = Array.from({ length: integer(1, 5) }, (_, index) => process(`daemon-${index}`));
  const edges = Array.from({ length: integer(1, 6) }, (_, index) => ({
    ...process(`edge-${index}`),
    model: models[index % models.length] as string,
    places: integer(1, 2),
    maxBatch: integer(1, 8),
    firstRowMs: between(5, 80),
    nextRowMs: between(0, 10),
  }));
  const server = {
    name: "server",
    kills: has.server ? spans(random, integer(1, 2), 100, 3_000) : [],
    stalls: [],
    cuts: [],
    oneWayMs: 0,
  };
  const jobs = random();
  const calls = Array.from({ length: integer(50, 250) }, (_, content) => ({
    atMs: between(0, busyMs),
    daemon: integer(0, daemons.length - 1),
    model: modelOf(),
    kind: random() < jobs ? ("job" as const) : ("waiting" as const),
    content,
  })).sort((a, b) => a.atMs - b.atMs);
  return { seed, sloMs: between(300, 3_000), models, server, daemons, edges, calls, quietMs };
}

/**
 * The same swarm, whose models get several owners, and other numbers of them while calls come.
 *
 * @example drawSplitSwarm(7).splits?.length; // 1 to 3
 */
export function drawSplitSwarm(seed: number): SwarmWorld {
  const random = randomStream(seed, "splits");
  const count = 1 + Math.floor(random() * 3);
  const splits = Array.from({ length: count }, (_, index) => ({
    // Mostly before the first call.
    atMs: index === 0 && random() < 0.7 ? 0 : random() * busyMs,
    owners: index === 0 ? 2 + Math.floor(random() * 3) : 1 + Math.floor(random() * 4),
  })).sort((a, b) => a.atMs - b.atMs);
  return { ...drawSwarm(seed), splits };
}

/** So many spans in the busy time, in order and apart. */
function spans(random: Random, count: number, shortestMs: number, longestMs: number): FaultSpan[] {
  const partMs = busyMs / Math.max(1, count);
  return Array.from({ length: count }, (_, index) => {
    const lengthMs = Math.min(partMs * 0.8, shortestMs * (longestMs / shortestMs) ** random());
    const fromMs = index * partMs + random() * (partMs - lengthMs);
    return { fromMs, toMs: fromMs + lengthMs };
  });
}
