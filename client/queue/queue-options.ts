/** The options of a virtual queue, with their defaults and ranges. */
import type { Clock } from "../../base/clock.ts";
import type { Policy } from "../policies/policy.ts";
import type { QueueEvent } from "./queue-event.ts";
import type { Target } from "../targets/target.ts";
import type { LaneOptions } from "./lanes/lanes.ts";
import type { JoinAnswers } from "./split-request.ts";

export interface VirtualQueueOptions<In, Out> {
  readonly clock: Clock;
  readonly policy: Policy;
  /** At least one. Policies refer to targets by their index in this list. */
  readonly targets: readonly Target<In, Out>[];
  /** The model of a key: a target's health is known for each model. Default: the key is the model. */
  readonly modelOf?: ((key: string) => string) | undefined;
  /** The name under which a target lists the model of a key. Default: the model. */
  readonly listedAs?: ((key: string) => string) | undefined;
  /** Time from arrival to deadline for requests that name none, in milliseconds, above 0. */
  readonly sloMs: number;
  /** Most rows that wait at once; further requests are refused. Default: 10,000. */
  readonly maxQueuedRows?: number;
  /** Most bytes that wait or are in flight at once; further requests are refused. Default: 1 GiB. */
  readonly maxBytes?: number;
  /** By name: requests with an SLO and bounds of their own. The lane "" has those of the queue. Default: none. */
  readonly lanes?: Readonly<Record<string, LaneOptions>> | undefined;
  /** Joins the answers to the rows of a request that was split. Default: requests are not split. */
  readonly joinAnswers?: JoinAnswers<In, Out> | undefined;
  /**
   * Most times that one target may fail a request for what may be the request's own fault, before only others get it.
   * Failures of the target alone, such as a refused connection, do not count: its pauses bound them. Default: 5.
   */
  readonly maxAttempts?: number;
  /**
   * Seed that spreads the pauses after failures, an integer from 0 to 4294967295. The same seed gives the
   * same pauses. Default: 0.
   */
  readonly seed?: number;
  /** Sees every event in order. Must not call the queue. */
  readonly observe?: ((event: QueueEvent) => void) | undefined;
  /** Whether events of batches say what the policy was shown. Default: false, because that costs a little for each. */
  readonly explains?: boolean;
}

/** The bounds of a queue, with the defaults filled in. */
export type QueueBounds = Readonly<Record<"sloMs" | "maxQueuedRows" | "maxBytes" | "maxAttempts", number>>;

/** @throws RangeError when a bound is not above 0 or there is no target */
export function checkedBounds<In, Out>(options: VirtualQueueOptions<In, Out>): QueueBounds {
  const { sloMs, maxQueuedRows = 10_000, maxBytes = 2 ** 30, maxAttempts = 5, targets } = options;
  const bounds = { sloMs, maxQueuedRows, maxBytes, maxAttempts };
  for (const [name, value] of Object.entries(bounds)) {
    if (!(value > 0)) throw new RangeError(`${name} is ${value}; allowed: above 0`);
  }
  if (targets.length === 0) throw new RangeError("targets is empty; allowed: at least one target");
  return bounds;
}
