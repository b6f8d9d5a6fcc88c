/** Places the requests of a binned trace within their bins, in blocks, because a bin may hold millions. */
import type { Random } from "../../base/random.ts";
import { exponential } from "./random-stream.ts";
import type { Arrival, Bin } from "./trace-lines.ts";

const blockLength = 4_096;

/**
 * A bin's number of arrivals, uniform in the bin, drawn in order, so that a bin of any size can be streamed: the first
 * of n arrivals in the rest of the bin lies at the share 1 - u^(1/n) of it.
 */
export function* placeCount({ fromS, toS, value }: Bin, random: Random): Generator<Arrival[]> {
  let leftS = toS - fromS;
  let block: Arrival[] = [];
  for (let more = value; more > 0; more--) {
    // Not by `**`, whose last bit differs between versions of Node.
    leftS *= Math.exp(Math.log(1 - random()) / more);
    // The rest may be rounded down to nothing, but the bin's end is not part of the bin.
    const atS = toS - leftS;
    block.push(arrivalAt(atS < toS ? Math.max(fromS, atS) : latestBefore(fromS, toS)));
    if (block.length < blockLength) continue;
    yield block;
    block = [];
  }
  yield block;
}

function latestBefore(fromS: number, toS: number): number {
  return Math.max(fromS, toS - (toS - fromS) * Number.EPSILON);
}

/** Arrivals of a Poisson process with the bin's rate. */
export function* placeRate({ fromS, toS, value }: Bin, random: Random): Generator<Arrival[]> {
  if (value === 0) return;
  let block: Arrival[] = [];
  for (let atS = fromS + exponential(random) / value; atS < toS; atS += exponential(random) / value) {
    block.push(arrivalAt(atS));
    if (block.length < blockLength) continue;
    yield block;
    block = [];
  }
  yield block;
}

function arrivalAt(atS: number): Arrival {
  return { atS, rows: 1, lane: "", model: "", bytes: undefined };
}
