/**
 * A run of the virtual queue as lines of JSON: a header with what the queue was made of, then every event and every
 * plan in order. `replay/records/recorded-run.ts` feeds them to a queue again and compares its decisions.
 */
import { asRecorded, type QueueEvent, type TargetFacts } from "../../queue/queue-event.ts";
import type { QueuePolicy } from "../../policies/make-policy.ts";
import type { LaneOptions } from "../../queue/lanes/lanes.ts";
import type { PlanRecord, QueueObserver } from "./observer.ts";

/** What a queue was made of, as far as its decisions depend on it. */
export interface RecordHeader {
  readonly kind: "header";
  readonly format: "spillway-record/2";
  readonly policy: QueuePolicy;
  readonly targets: readonly TargetFacts[];
  readonly sloMs: number;
  readonly maxQueuedRows: number;
  readonly maxBytes: number;
  readonly maxAttempts: number;
  /** Left out where there are none. */
  readonly lanes?: Readonly<Record<string, LaneOptions>>;
  /** Of the pauses after failures. */
  readonly seed: number;
  /** What the ids of its requests begin with in the answers. Default: not known. */
  readonly run?: string;
  /** The file before this one, in a record of several files. */
  readonly continues?: string;
}

/** Writes the header at once, and then each event and each plan as a line. */
export class Recorder implements QueueObserver {
  readonly #write: (line: string) => void;

  /** @param write takes one line with its line feed */
  constructor(header: Omit<RecordHeader, "kind" | "format">, write: (line: string) => void) {
    this.#write = write;
    this.#put({ kind: "header", format: "spillway-record/2", ...header });
  }

  observe(event: QueueEvent | PlanRecord): void {
    this.#put(asRecorded(event));
  }

  #put(value: RecordHeader | QueueEvent | PlanRecord): void {
    this.#write(`${JSON.stringify(value)}\n`);
  }
}
