/**
 * From a trace's file to the arrivals of a replay, as a stream in the order that its contract gives: place the
 * arrivals of the whole file, scale, cut, shift. Cutting comes last, so a cut replay sees the arrivals that the
 * whole one sees. Memory holds a block of them, and of bins the moments of the fullest one.
 */
import { ArrivalScaler } from "./arrival-scaler.ts";
import { placeCount, placeRate } from "./place-arrivals.ts";
import { randomStream } from "./random-stream.ts";
import type { TextFile } from "../../base/text-lines.ts";
import type { Arrival } from "./trace-lines.ts";
import { readTrace } from "./trace-reader.ts";

export interface ArrivalOptions {
  readonly seed: number;
  /** The part of the trace that is replayed, in its seconds: [fromS, toS). */
  readonly fromS: number;
  readonly toS: number;
  /** Rate factor, above 0. */
  readonly scale: number;
}

/**
 * The arrivals of a replay in blocks, in order, shifted so that `fromS` is 0. The whole file is read, so a
 * malformed line is found wherever it is; it is read twice for a scale above 1, because how far copies move
 * depends on the file's mean gap.
 *
 * @throws InputError that names file, line and column
 */
export async function* readArrivals(file: TextFile, options: ArrivalOptions): AsyncGenerator<Arrival[]> {
  const { fromS, toS } = options;
  for await (const block of scaledArrivals(file, options)) {
    const kept: Arrival[] = [];
    for (const arrival of block) {
      const { atS, rows, model, bytes } = arrival;
      if (atS < fromS || atS >= toS) continue;
      kept.push(fromS === 0 ? arrival : { atS: atS - fromS, rows, model, bytes });
    }
    if (kept.length > 0) yield kept;
  }
}

async function* scaledArrivals(
  file: TextFile,
  { seed, scale, toS }: ArrivalOptions,
): AsyncGenerator<readonly Arrival[]> {
  if (scale === 1) {
    yield* placedArrivals(file, seed, toS);
    return;
  }
  const meanGapS = scale > 1 ? await meanGap(file, seed) : 0;
  const scaler = new ArrivalScaler(scale, meanGapS, randomStream(seed, "scaling"));
  for await (const block of placedArrivals(file, seed, toS)) yield scaler.scale(block);
  yield scaler.rest();
}

/** In seconds, over all arrivals of the file. */
async function meanGap(file: TextFile, seed: number): Promise<number> {
  let count = 0;
  let firstS = 0;
  let lastS = 0;
  for await (const block of placedArrivals(file, seed, Infinity)) {
    if (block.length === 0) continue;
    if (count === 0) firstS = (block[0] as Arrival).atS;
    lastS = (block.at(-1) as Arrival).atS;
    count += block.length;
  }
  return (lastS - firstS) / Math.max(1, count - 1);
}

/** The arrivals of the whole file in blocks; those of bins that begin at `toS` or later are left out. */
async function* placedArrivals(
  file: TextFile,
  seed: number,
  toS: number,
): AsyncGenerator<readonly Arrival[]> {
  const random = randomStream(seed, "arrivals");
  for await (const block of readTrace(file)) {
    if (block.kind === "arrivals") {
      yield block.arrivals;
      continue;
    }
    const place = block.kind === "count" ? placeCount : placeRate;
    for (const bin of block.bins) if (bin.fromS < toS) yield* place(bin, random);
  }
}
