/** Reads all arrivals of a replay into memory, which a search with hindsight needs: 12 bytes for each. */
import { InputError } from "../../base/usage-error.ts";
import type { TextFile } from "../../base/text-lines.ts";
import { type ArrivalOptions, readArrivals } from "../traces/arrivals.ts";
import type { KnownArrivals } from "./schedule.ts";

/** Most requests of a search: each has some hundred bytes of its past. */
const mostRequests = 5_000_000;

/** @throws InputError when the trace is malformed, too long, or has requests of several models or of a lane */
export async function readKnownArrivals(trace: TextFile, options: ArrivalOptions): Promise<KnownArrivals> {
  const atMs: number[] = [];
  const rows: number[] = [];
  let firstModel: string | undefined;
  for await (const block of readArrivals(trace, options)) {
    for (const { atS, rows: count, model, lane } of block) {
      if (lane !== "") {
        const message = `the request at ${atS} s has the lane "${lane}"; allowed with --hindsight: no lanes`;
        throw new InputError(trace.name, "", message);
      }
      firstModel ??= model;
      if (model !== firstModel) {
        const message = `requests of the models "${firstModel}" and "${model}"; allowed with --hindsight: one model`;
        throw new InputError(trace.name, "", message);
      }
      atMs.push(atS * 1_000);
      rows.push(count);
    }
    if (atMs.length > mostRequests) {
      const message = `more than ${mostRequests} requests; allowed with --hindsight: a shorter part, by --from and --to`;
      throw new InputError(trace.name, "", message);
    }
  }
  return { atMs: Float64Array.from(atMs), rows: Uint32Array.from(rows) };
}
