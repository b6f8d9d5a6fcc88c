/** Where in their bin the requests of a binned trace arrive. In blocks, because a bin may hold millions. */
import type { Random } from "../algorithms/random.ts";
import { exponential } from "./random-stream.ts";
import type { Arrival, Bin } from "./trace-lines.ts";

const blockLength = 4_096;

/** A bin's number of arrivals, each uniform in the bin, in order. Holds the moments of the whole bin. */
export function* placeCount({ fromS, toS, value }: Bin, random: Random): Generator<Arrival[]> {
  const moments = new Float64Array(value);
  for (let index = 0; index < value; index++) {
    // A draw next to 1 may be rounded up to the bin's end, which is not part of it.
    const atS = fromS + (toS - fromS) * random();
    moments[index] = atS < toS ? atS : fromS;
  }
  moments.sort();
  for (let start = 0; start < value; start += blockLength) {
    yield Array.from(moments.subarray(start, start + blockLength), arrivalAt);
  }
}

/** Arrivals of a Poisson process of the bin's rate. */
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
  return { atS, rows: 1, model: "", bytes: undefined };
}
