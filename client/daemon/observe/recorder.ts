/**
 * A run of the virtual queue as lines of JSON: a header with what the queue was made of, then every event and every
 * plan in order. `replay/records/recorded-run.ts` feeds them to a queue again and compares its decisions.
 */
import type { PlanChange } from "../../policies/policy-inputs.ts";
import type { QueueEvent } from "../../queue/queue-event.ts";
import type { QueuePolicy } from "../../policies/make-policy.ts";
import type { TargetKind } from "../../targets/target.ts";

/** What a queue was made of, as far as its decisions depend on it. */
export interface RecordHeader {
  readonly kind: "header";
  readonly format: "spillway-record/2";
  readonly policy: QueuePolicy;
  readonly targets: readonly {
    readonly name: string;
    readonly kind: TargetKind;
    readonly maxInFlight: number;
    readonly assumedLatencyMs: number;
  }[];
  readonly sloMs: number;
  readonly maxQueuedRows: number;
  readonly maxBytes: number;
  readonly maxAttempts: number;
  /** Of the pauses after failures. */
  readonly seed: number;
}

/** The policy changed its plan for the lines of a key. */
export interface PlanRecord extends PlanChange {
  readonly kind: "plan";
  readonly key: string;
}

/**
 * Writes each event of a queue, and each plan of its policy, as a line.
 *
 * @param write takes one line with its line feed
 */
export function createRecorder(
  header: Omit<RecordHeader, "kind" | "format">,
  write: (line: string) => void,
): (event: QueueEvent | PlanRecord) => void {
  const put = (value: RecordHeader | QueueEvent | PlanRecord): void => write(`${JSON.stringify(value)}\n`);
  put({ kind: "header", format: "spillway-record/2", ...header });
  return put;
}
