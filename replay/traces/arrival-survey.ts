/**
 * A look at all arrivals of a replay before it runs: their number, their end, and, unless they are too many for memory,
 * the moment of each. Only the physical limit and a progress bar need it.
 */
import { type ArrivalOptions, readArrivals } from "./arrivals.ts";
import type { TextFile } from "../../base/text-lines.ts";

/** Most moments that are held: the limit takes some 100 bytes for each. */
export const mostMoments = 20_000_000;

export interface ArrivalSurvey {
  readonly requests: number;
  /** Moment of the last arrival, from the replay's start; 0 without arrivals. */
  readonly lastAtMs: number;
  /** When each row arrived, ascending; undefined when there are more than 20 million. */
  readonly momentsMs: Float64Array | undefined;
}

export interface SurveyOptions extends ArrivalOptions {
  /** Called now and then with the number of requests so far, and their last moment. */
  readonly onProgress?: (requests: number, atMs: number) => void;
  /** Most moments that are held. Default: 20 million. */
  readonly mostHeld?: number;
}

/** @throws InputError when the trace is malformed */
export async function surveyArrivals(trace: TextFile, options: SurveyOptions): Promise<ArrivalSurvey> {
  const { onProgress, mostHeld = mostMoments } = options;
  let moments = new Float64Array(1_024);
  let requests = 0;
  let held = 0;
  let lastAtMs = 0;
  for await (const block of readArrivals(trace, options)) {
    for (const { atS, rows } of block) {
      requests++;
      lastAtMs = atS * 1_000;
      if (held + rows > mostHeld) {
        held = Infinity;
        moments = new Float64Array();
        continue;
      }
      if (held + rows > moments.length) moments = longer(moments, held + rows);
      moments.fill(lastAtMs, held, held + rows);
      held += rows;
    }
    onProgress?.(requests, lastAtMs);
  }
  return { requests, lastAtMs, momentsMs: held === Infinity ? undefined : moments.slice(0, held) };
}

function longer(moments: Float64Array, least: number): Float64Array<ArrayBuffer> {
  const copy = new Float64Array(Math.max(2 * moments.length, least));
  copy.set(moments);
  return copy;
}
