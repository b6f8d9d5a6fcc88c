/** When the requests of an open loop are due: at random, evenly, or as in a trace. In blocks, so memory stays flat. */
import { readArrivals } from "../../replay/traces/arrivals.ts";
import { placeRate } from "../../replay/traces/place-arrivals.ts";
import { randomStream } from "../../replay/traces/random-stream.ts";
import type { TextFile } from "../../base/text-lines.ts";
import type { Due } from "./generate.ts";

export interface ScheduleEnd {
  /** No request is due at this moment or later; Infinity for none. */
  readonly seconds: number;
  /** Most requests; Infinity for none. */
  readonly requests: number;
}

const blockLength = 1_024;

/** A Poisson process of `ratePerS` requests a second, above 0. */
export function poissonSchedule(ratePerS: number, seed: number, end: ScheduleEnd): Iterable<readonly Due[]> {
  const random = randomStream(seed, "arrivals");
  return atMost(placeRate({ fromS: 0, toS: end.seconds, value: ratePerS }, random), end.requests);
}

/** One request every 1 / `ratePerS` seconds, the first at once. */
export function constantSchedule(ratePerS: number, end: ScheduleEnd): Iterable<readonly Due[]> {
  return atMost(evenly(ratePerS, end.seconds), end.requests);
}

/**
 * The requests of a trace in any form that a replay reads.
 *
 * @throws InputError that names file, line and column of what is malformed
 */
export async function* traceSchedule(
  trace: TextFile,
  seed: number,
  { seconds, requests }: ScheduleEnd,
): AsyncGenerator<readonly Due[]> {
  let left = requests;
  for await (const block of readArrivals(trace, { seed, fromS: 0, toS: seconds, scale: 1 })) {
    yield block.slice(0, left);
    left -= block.length;
    if (left <= 0) return;
  }
}

function* evenly(ratePerS: number, seconds: number): Generator<Due[]> {
  for (let first = 0; first / ratePerS < seconds; first += blockLength) {
    const block = Array.from({ length: blockLength }, (_, index) => ({
      atS: (first + index) / ratePerS,
      rows: 1,
    }));
    yield block.filter(({ atS }) => atS < seconds);
  }
}

function* atMost(blocks: Iterable<readonly Due[]>, requests: number): Generator<readonly Due[]> {
  let left = requests;
  for (const block of blocks) {
    yield block.slice(0, left);
    left -= block.length;
    if (left <= 0) return;
  }
}
