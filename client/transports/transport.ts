/**
 * How a V2 call reaches a server and its reply comes back. Joining requests to a batch is the same for all
 * (`model-target.ts`); only this differs between an edge server, a function and any other V2 server.
 */
import type { WireBody } from "../../protocol/message.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";

export interface TransportReply {
  /** HTTP status of the V2 answer. */
  readonly status: number;
  readonly wire: WireBody;
  /** How long the function ran, as its platform measured it; undefined when nobody says. */
  readonly durationMs: number | undefined;
  /**
   * Time that the server's instance took to start for this call: 0 when it was warm or nothing is said of instances;
   * undefined when it did start, and did not say how long.
   */
  readonly coldStartMs: number | undefined;
  /** True when an instance may have started for this call that is billed, also where nothing is said of instances. */
  readonly mayHaveStarted: boolean;
  /** What the call cost; 0 where calls are not billed. */
  readonly cost: number;
}

/** For how long the target is to be paused, where that is known. */
interface Pause {
  readonly retryAfterMs: number;
}

/**
 * A call without a V2 answer of which it is known what it costs: nothing, where nothing was sent or the platform
 * says that it does not charge for it.
 */
export class BilledFailure extends SpillwayError {
  readonly cost: number;

  constructor(code: ErrorCode, message: string, cost: number, pause?: Pause) {
    super(code, message, pause);
    this.cost = cost;
  }
}

/** Leave to make one call. Give it to the call, or release it. */
export interface Permit {
  release(): void;
}

export interface Transport {
  /**
   * Leave to make a call now, or why not and, in `retryAfterMs`, from when on. A call without a permit asks for its own.
   * Without this method every call may be made.
   */
  admit?(): Permit | SpillwayError;
  /**
   * One inference call. Rejects with a SpillwayError when no V2 answer came, at the latest after `timeoutMs`; with
   * a BilledFailure when it is known what that costs; with `request_too_large` when less may be taken.
   */
  call(model: string, wire: WireBody, timeoutMs: number, permit?: Permit): Promise<TransportReply>;
  /** Let go of connections. Calls under way may fail. */
  close(): Promise<void>;
}
