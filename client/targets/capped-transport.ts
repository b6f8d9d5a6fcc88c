/**
 * A transport to a function whose calls are let through only while the cap on money allows. It stands here and not at
 * the queue, so that the calls that measure a function at start, and the parts of a batch that is split, count too.
 */
import { SpillwayError } from "../errors.ts";
import type { SpendCap } from "../spend-cap.ts";
import { BilledFailure, type Transport } from "./transport.ts";

/**
 * The longest that a new instance is reckoned to take for what is billed of its start. ASSUMED: the initializer, or
 * the whole start where the price sheet bills it, is over by then.
 */
export const longestStartMs = 10_000;

export interface CappedTransportOptions {
  readonly cap: SpendCap;
  /** The time limit of the function, in milliseconds. */
  readonly functionTimeoutMs: number;
  /** What a call costs by the time that the function runs. */
  readonly costOf: (durationMs: number) => number;
  /** The clock of the cap. */
  readonly nowMs: () => number;
}

/** What the longest call costs. */
export function mostCost({
  functionTimeoutMs,
  costOf,
}: Pick<CappedTransportOptions, "functionTimeoutMs" | "costOf">): number {
  return costOf(functionTimeoutMs + longestStartMs);
}

export function cappedTransport(transport: Transport, options: CappedTransportOptions): Transport {
  const { cap, costOf, nowMs } = options;
  return {
    call: async (...call) => {
      const beganAtMs = nowMs();
      const held = cap.reserve(mostCost(options), beganAtMs);
      if ("why" in held) throw new SpillwayError("spend_cap_reached", held.why, held);
      try {
        const reply = await transport.call(...call);
        // What is billed of the start of an instance is not in its cost, but happened while we waited.
        const waitedCost = reply.coldStartMs === 0 ? 0 : costOf(nowMs() - beganAtMs);
        cap.settle(held, Math.max(reply.cost, waitedCost), nowMs());
        return reply;
      } catch (error) {
        const cost = costOfFailure(error, costOf(nowMs() - beganAtMs));
        if (cost === undefined) cap.keep(held, nowMs());
        else cap.settle(held, cost, nowMs());
        throw error;
      }
    },
    close: () => transport.close(),
  };
}

/**
 * What a call cost that failed; undefined when it may still run, since nobody knows.
 *
 * @param waitedCost what it costs if it ran for as long as we waited: a call that ended cannot have run longer
 */
function costOfFailure(error: unknown, waitedCost: number): number | undefined {
  if (error instanceof BilledFailure) return error.cost === 0 ? 0 : Math.max(error.cost, waitedCost);
  switch (error instanceof SpillwayError ? error.code : undefined) {
    // The platform says that it charges neither.
    case "target_throttled":
    case "target_denied":
      return 0;
    case "request_rejected":
    case "request_too_large":
    case "target_broken":
      return waitedCost;
    default:
      return undefined;
  }
}
