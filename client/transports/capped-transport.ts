/**
 * A transport to a function whose calls are let through only while the cap on money allows. It stands here and not at
 * the queue, so that the calls that measure a function at start, and the parts of a batch that is split, count too.
 */
import { SpillwayError } from "../../base/errors.ts";
import type { Reservation, SpendCap } from "../targets/spend-cap.ts";
import type { HttpTransport } from "./http-transport.ts";
import { BilledFailure, type Permit, type Transport } from "./transport.ts";

/**
 * The longest that a new instance is reckoned to take for what is billed of its start: the time limit of the initializer
 * in `serverless/s.yaml`. ASSUMED: where the price sheet bills the whole start, that is over by then, too.
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
  return {
    admit: () => {
      const inner = transport.admit?.();
      if (inner instanceof SpillwayError) return inner;
      const held = reserved(options);
      if (held instanceof SpillwayError) inner?.release();
      return held;
    },
    call: (model, wire, timeoutMs, permit) =>
      paid(
        options,
        permit,
        () => transport.call(model, wire, timeoutMs),
        // What is billed of the start of an instance is not in its cost, but happened while we waited.
        ({ cost, mayHaveStarted }, waitedCost) => (mayHaveStarted ? Math.max(cost, waitedCost) : cost),
      ),
    close: () => transport.close(),
  };
}

/** Asks a function that is a V2 server of its own for what is no inference: it runs for that too, and is billed. */
export function cappedGet(
  server: Pick<HttpTransport, "get">,
  options: CappedTransportOptions,
): Pick<HttpTransport, "get"> {
  return {
    get: (...question) =>
      paid(
        options,
        undefined,
        () => server.get(...question),
        (_, waitedCost) => waitedCost,
      ),
  };
}

/** Money that is held for one call. */
class SpendPermit implements Permit {
  readonly reservation: Reservation;
  readonly #options: CappedTransportOptions;

  constructor(reservation: Reservation, options: CappedTransportOptions) {
    this.reservation = reservation;
    this.#options = options;
  }

  release(): void {
    this.#options.cap.settle(this.reservation, 0, this.#options.nowMs());
  }
}

function reserved(options: CappedTransportOptions): SpendPermit | SpillwayError {
  const held = options.cap.reserve(mostCost(options), options.nowMs());
  return "why" in held
    ? new SpillwayError("spend_cap_reached", held.why, held)
    : new SpendPermit(held, options);
}

/**
 * Makes a call if there is money for it, and counts what it cost.
 *
 * @param permit of this transport; undefined: none was asked for yet
 * @param costOfEnd what a call cost that was answered, by what it costs if it ran for as long as we waited
 */
async function paid<Reply>(
  options: CappedTransportOptions,
  permit: Permit | undefined,
  call: () => Promise<Reply>,
  costOfEnd: (reply: Reply, waitedCost: number) => number,
): Promise<Reply> {
  const { cap, costOf, nowMs } = options;
  const beganAtMs = nowMs();
  const held = permit instanceof SpendPermit ? permit : reserved(options);
  if (held instanceof SpillwayError) throw held;
  const { reservation } = held;
  try {
    const reply = await call();
    cap.settle(reservation, costOfEnd(reply, costOf(nowMs() - beganAtMs)), nowMs());
    return reply;
  } catch (error) {
    const cost = costOfFailure(error, costOf(nowMs() - beganAtMs));
    if (cost === undefined) cap.keep(reservation, nowMs());
    else cap.settle(reservation, cost, nowMs());
    throw error;
  }
}

/**
 * What a call cost that failed; undefined when it may still run, since nobody knows.
 *
 * @param waitedCost what it costs if it ran for as long as we waited: a call that ended cannot have run longer
 */
function costOfFailure(error: unknown, waitedCost: number): number | undefined {
  if (error instanceof BilledFailure) return error.cost === 0 ? 0 : Math.max(error.cost, waitedCost);
  if (!(error instanceof SpillwayError)) return undefined;
  switch (error.code) {
    // Refused, so it has ended; whether that is charged, the platform did not say.
    case "target_throttled":
    case "target_denied":
    case "request_rejected":
    case "request_too_large":
    case "target_broken":
      return waitedCost;
    default:
      return undefined;
  }
}
