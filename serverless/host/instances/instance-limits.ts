/** What bounds the life of an instance; apart from it because whoever sets up a host chooses them. */
import { longestS, maxPayloadBytes } from "../../prices/fc-limits.ts";

/** Bounds of an instance's life. */
export interface InstanceLimits {
  /** From the spawn until the port answers. */
  readonly startTimeoutMs: number;
  /** From POST /initialize until its reply. */
  readonly initializeTimeoutMs: number;
  /** From GET /pre-stop until its reply. */
  readonly preStopTimeoutMs: number;
  /** From SIGTERM until SIGKILL. */
  readonly killAfterMs: number;
  readonly maxReplyBytes: number;
}

/** Start and initialize bounds are Function Compute's; a local host stops faster than its 90 s. */
export const defaultInstanceLimits: InstanceLimits = {
  startTimeoutMs: 120_000,
  initializeTimeoutMs: longestS.initializer * 1_000,
  preStopTimeoutMs: 5_000,
  killAfterMs: 2_000,
  maxReplyBytes: maxPayloadBytes,
};
