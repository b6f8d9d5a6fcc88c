/**
 * The open loop: requests leave at their scheduled moments, whether or not earlier ones are answered, as callers
 * do that know nothing of each other. A slow server cannot slow down what is asked of it.
 */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";

/** A request that is due. */
export interface Due {
  /** Seconds from the loop's start. */
  readonly atS: number;
  readonly rows: number;
}

/** After this many sends without a pause, answers get their turn. */
const sendsPerTurn = 16;

/**
 * Resolves when everything that was sent has ended.
 *
 * @param schedule blocks of what is due, in order of time
 * @param send one request that was due at `dueAtMs` of the monotonic clock; never rejects
 * @param stop ends the sending early; what was sent is still waited for
 */
export async function openLoop<D extends Due>(
  schedule: AsyncIterable<readonly D[]> | Iterable<readonly D[]>,
  send: (due: D, dueAtMs: number) => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  const startedAtMs = performance.now();
  const underWay = new Set<Promise<void>>();
  let sends = 0;
  for await (const block of schedule) {
    for (const due of block) {
      const dueAtMs = startedAtMs + due.atS * 1_000;
      const waitMs = dueAtMs - performance.now();
      if (waitMs > 0) await delay(waitMs, undefined, { signal: stop }).catch(() => {});
      else if (sends % sendsPerTurn === 0) await nextTurn();
      if (stop.aborted) break;
      sends++;
      const sending = send(due, dueAtMs).then(() => void underWay.delete(sending));
      underWay.add(sending);
    }
    if (stop.aborted) break;
  }
  await Promise.all(underWay);
}
