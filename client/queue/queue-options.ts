/** What a virtual queue is made of, and its bounds. */
import type { Clock } from "../../base/clock.ts";
import type { Policy } from "../policies/policy.ts";
import type { QueueEvent } from "./queue-event.ts";
import type { Target } from "../targets/target.ts";

export interface VirtualQueueOptions<In, Out> {
  readonly clock: Clock;
  readonly policy: Policy;
  /** At least one; a policy names them by index. */
  readonly targets: readonly Target<In, Out>[];
  /** Time from arrival to deadline where a request names none, in milliseconds, above 0. */
  readonly sloMs: number;
  /** Most rows that wait at once; more are refused. Default: 10,000. */
  readonly maxQueuedRows?: number;
  /** Most bytes that wait or are under way at once; more are refused. Default: 1 GiB. */
  readonly maxBytes?: number;
  /** How often a request is sent at most before it fails. Default: 5. */
  readonly maxAttempts?: number;
  /** Spreads the pauses after failures, an integer from 0 to 4294967295; the same seed gives the same. Default: 0. */
  readonly seed?: number;
  /** Sees every event in order. Must not call the queue. */
  readonly observe?: ((event: QueueEvent) => void) | undefined;
}

/** The bounds of a queue, with defaults. */
export interface QueueBounds {
  readonly sloMs: number;
  readonly maxQueuedRows: number;
  readonly maxBytes: number;
  readonly maxAttempts: number;
}

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
