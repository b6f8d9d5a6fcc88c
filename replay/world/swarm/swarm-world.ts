/**
 * A world of several daemons and edges around one message server, as plain data: which processes there are, what is asked
 * of them, and when they are killed, stopped or cut off. A test can draw it from a seed, shrink it and print it.
 */

/** In force in [fromMs, toMs). */
export interface FaultSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A process and its faults; the spans of a kind are in order and do not overlap. */
export interface SwarmProcess {
  readonly name: string;
  /** Killed at the beginning, started again at the end, with nothing in its memory. */
  readonly kills: readonly FaultSpan[];
  /** Stopped: what is due meanwhile happens at the end. */
  readonly stalls: readonly FaultSpan[];
  /** Cut off from the message server: messages are lost, and nobody is told. */
  readonly cuts: readonly FaultSpan[];
  /** Time that a message to or from the message server takes, in milliseconds. */
  readonly oneWayMs: number;
}

export interface SwarmEdge extends SwarmProcess {
  /** The model that it serves: edges are shared out among the owners of models. */
  readonly model: string;
  /** Batches served at once. */
  readonly places: number;
  readonly maxBatch: number;
  /** Service time of one row, and what each further row adds. */
  readonly firstRowMs: number;
  readonly nextRowMs: number;
}

/**
 * A request of one row. Whoever waits for the answer has a deadline, and loses the call when its daemon is killed; a job
 * has much time, and its result is asked for by its id at any daemon.
 */
export interface SwarmCall {
  readonly atMs: number;
  /** Index of the daemon that takes it. */
  readonly daemon: number;
  readonly model: string;
  readonly kind: "waiting" | "job";
  /** Unique; the answer is made from it. */
  readonly content: number;
}

export interface SwarmWorld {
  readonly seed: number;
  readonly sloMs: number;
  readonly models: readonly string[];
  /** Of the message server, kills alone count. */
  readonly server: SwarmProcess;
  /** At least one. */
  readonly daemons: readonly SwarmProcess[];
  readonly edges: readonly SwarmEdge[];
  /** In order of time. */
  readonly calls: readonly SwarmCall[];
  /** How long everything is well after the last fault and the last call. */
  readonly quietMs: number;
  /** When models get how many owners, in order of time. Default: each has one. */
  readonly splits?: readonly { readonly atMs: number; readonly owners: number }[];
}

/** What daemons do to be safe. Tests switch one off to see that the checker notices. */
export interface SwarmRules {
  /** A request is acknowledged only when its result is stored, or already there. */
  readonly acksAfterResult: boolean;
  /** A result is stored only where its subject has none. */
  readonly expectsNoResult: boolean;
  /** A front tells its caller when the deadline has passed without a result. */
  readonly watchesDeadlines: boolean;
  /** Ids of requests are unique also after a restart. */
  readonly hasUniqueIds: boolean;
  /** Who is no longer the owner gives back what it has not begun, instead of acknowledging it. */
  readonly givesBack: boolean;
  /** Owners take requests of all parts that there ever were. */
  readonly takesEveryPart: boolean;
}

export const safeRules: SwarmRules = {
  acksAfterResult: true,
  expectsNoResult: true,
  watchesDeadlines: true,
  hasUniqueIds: true,
  givesBack: true,
  takesEveryPart: true,
};

/** The right answer to a content. */
export function answerTo(content: number): number {
  return 3 * content + 1;
}
