/**
 * A transport to a function that makes a call only while the cap on money allows it. The check is here and not in the
 * queue, so that it covers the calls that measure a function at start and the parts of a batch that is split.
 */
import { SpillwayError } from "../../base/errors.ts";
import type { Reservation, SpendCap } from "../targets/spend-cap.ts";
import type { HttpReply, HttpTransport } from "./http-transport.ts";
import { BilledFailure, type Permit, type Transport } from "./transport.ts";

/**
 * The longest billed part of an instance's start that is counted with: the time limit of the initializer in
 * `serverless/s.yaml`. ASSUMED: where the price sheet bills the whole start, that is over by then as well.
 */
export const longestStartMs = 10_000;

export interface CappedTransportOptions {
  readonly cap: SpendCap;
  /** The time limit of the function, in milliseconds. */
  readonly functionTimeoutMs: number;
  /** What a call costs when the function runs so long. */
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
    call: (model, wire, timeoutMs, permit, trace) =>
      paid(
        options,
        permit,
        async () => {
          const beganAtMs = options.nowMs();
          const reply = await transport.call(model, wire, timeoutMs, undefined, trace);
          const waitedCost = options.costOf(options.nowMs() - beganAtMs);
          return { ...reply, cost: plausibleCost(options, reply.cost, waitedCost) };
        },
        // The billed part of an instance's start is not in the cost, but it happened while we waited.
        ({ cost, mayHaveStarted }, waitedCost) => (mayHaveStarted ? Math.max(cost, waitedCost) : cost),
      ),
    close: () => transport.close(),
  };
}

/** A server that can be asked what it has. Without `post` it lists its models at `GET /v2/models` alone. */
export type AskedServer = Pick<HttpTransport, "get"> & Partial<Pick<HttpTransport, "post">>;

/** Questions to a function; it runs to answer them, and that is billed. */
export function cappedQuestions({ get, post }: AskedServer, options: CappedTransportOptions): AskedServer {
  const capped = (ask: () => Promise<HttpReply>): Promise<HttpReply> =>
    paid(options, undefined, ask, (_, waitedCost) => waitedCost);
  return {
    get: (...question) => capped(() => get(...question)),
    ...(post !== undefined && { post: (...question) => capped(() => post(...question)) }),
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
 * Makes a call if the cap allows it, and counts what it cost.
 *
 * @param permit of this transport; undefined: none was asked for yet
 * @param costOfEnd what an answered call cost; `waitedCost` is the cost if it ran for as long as we waited
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
    const waitedCost = costOf(nowMs() - beganAtMs);
    const cost = costOfFailure(error, waitedCost, options);
    if (cost === undefined) cap.keep(reservation, nowMs());
    else cap.settle(reservation, cost, nowMs());
    throw error;
  }
}

/**
 * What a call cost by the word of its platform, where that can be true: no call costs more than the longest one, or than one
 * as long as we waited. So a function that tells nonsense cannot use up the money of all.
 */
function plausibleCost(
  options: Pick<CappedTransportOptions, "functionTimeoutMs" | "costOf">,
  cost: number,
  waitedCost: number,
): number {
  return cost >= 0 ? Math.min(cost, Math.max(mostCost(options), waitedCost)) : waitedCost;
}

/**
 * What a failed call cost; undefined when it may still run, so that nobody knows.
 *
 * @param waitedCost the cost if it ran for as long as we waited; a call that ended cannot have run longer
 */
function costOfFailure(
  error: unknown,
  waitedCost: number,
  options: Pick<CappedTransportOptions, "functionTimeoutMs" | "costOf">,
): number | undefined {
  if (error instanceof BilledFailure && error.cost === 0) return 0;
  if (error instanceof BilledFailure)
    return Math.max(plausibleCost(options, error.cost, waitedCost), waitedCost);
  if (!(error instanceof SpillwayError)) return undefined;
  switch (error.code) {
    // The call was refused, so it has ended. The platform did not say whether it charges for that.
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
