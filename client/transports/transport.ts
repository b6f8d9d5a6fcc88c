/**
 * How a V2 call reaches a server and its reply comes back. This alone differs between an edge server, a function and
 * any other V2 server; `model-target.ts` joins requests to a batch for all of them.
 */
import type { WireBody, WireParts } from "../../protocol/message.ts";
import type { TraceContext } from "../../protocol/trace-context.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";

export interface TransportReply {
  /** HTTP status of the V2 answer. */
  readonly status: number;
  readonly wire: WireBody;
  /** How long the function ran, as its platform measured it; undefined when the reply does not say. */
  readonly durationMs: number | undefined;
  /**
   * Time that the server's instance took to start for this call: 0 when it was warm or the reply does not mention
   * instances; undefined when it started and does not say how long that took.
   */
  readonly coldStartMs: number | undefined;
  /** True unless the reply says that the instance was warm: a start may have been billed. */
  readonly mayHaveStarted: boolean;
  /** What the call cost; 0 where calls are not billed. */
  readonly cost: number;
  /** When the server wants to be asked again, where its reply says so. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * A call that was not made, because no time was left for it. It says nothing of the target.
 *
 * @param what why there was none, such as "no time was left to call edge"
 */
export function noTimeLeft(what: string): NotSentFailure {
  return new NotSentFailure("target_timeout", what, { isOfTarget: false });
}

interface FailureOptions {
  /** No call of the target makes sense before that. */
  readonly retryAfterMs?: number | undefined;
  /** As in SpillwayError. */
  readonly isOfTarget?: boolean | undefined;
}

/** A call without a V2 answer whose cost is known. It is 0 where the platform does not charge for it. */
export class BilledFailure extends SpillwayError {
  readonly cost: number;

  constructor(code: ErrorCode, message: string, cost: number, options?: FailureOptions) {
    super(code, message, options);
    this.cost = cost;
  }
}

/** A call that did not reach the server for certain, and costs nothing. */
export class NotSentFailure extends BilledFailure {
  constructor(code: ErrorCode, message: string, options?: FailureOptions) {
    super(code, message, 0, options);
  }
}

/** Leave to make one call. Give it to the call, or release it. */
export interface Permit {
  release(): void;
}

export interface Transport {
  /**
   * Leave to make a call now; or why not and, in `retryAfterMs`, from when on. A call without a permit asks for its
   * own. Without this method every call may be made.
   */
  admit?(): Permit | SpillwayError;
  /**
   * One inference call. Rejects with a SpillwayError when no V2 answer came, at the latest after `timeoutMs`: with a
   * BilledFailure when its cost is known, with `request_too_large` when a smaller call may succeed.
   *
   * @param wire the memory of its pieces must stay as it is until the call ends
   * @param trace goes with the call where the server gets header fields. Default: none
   * @param withinMs until when somebody waits for the answer, where that is less than `timeoutMs`; goes with the call where
   * the server keeps deadlines. Default: `timeoutMs`
   */
  call(
    model: string,
    wire: WireBody | WireParts,
    timeoutMs: number,
    permit?: Permit,
    trace?: TraceContext,
    withinMs?: number,
  ): Promise<TransportReply>;
  /** Closes connections. Calls under way may fail. */
  close(): Promise<void>;
}

/** Codes of errors that only looking up a name and connecting end with. */
const ofConnecting = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
/** Codes that a connection in use can end with as well, while the call is under way. */
const ofNetwork = new Set(["EHOSTUNREACH", "ENETUNREACH"]);

/**
 * Whether there was no connection over which a call could have been sent.
 *
 * @param error what connecting or sending threw; the system's `code` is in it or in one of its causes
 */
export function wasNeverConnected(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    const { code = "", syscall } = cause as NodeJS.ErrnoException;
    if (ofConnecting.has(code) || (ofNetwork.has(code) && syscall === "connect")) return true;
    // Of a name with several addresses, none was reached.
    if (cause instanceof AggregateError)
      return cause.errors.length > 0 && cause.errors.every(wasNeverConnected);
    ({ cause } = cause);
  }
  return false;
}
