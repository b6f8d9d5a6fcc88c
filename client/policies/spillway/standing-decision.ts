/**
 * A decision to wait, and for how long it need not be made again: while nothing happens but that a few more
 * requests join the end of a long line. It keeps the work for each arrival small when many wait.
 */
import type { QueueView, WaitDecision } from "../policy.ts";

/** A line may grow by this part before what it waits for is worked out anew. */
const growth = 1 / 32;

export class StandingDecision {
  readonly decision: WaitDecision;
  readonly #key: string;
  readonly #targets: QueueView["targets"];
  readonly #length: number;
  readonly #draining: boolean;
  readonly #version: number;

  /** @param version of what has been learned of the targets, which batches of other lines change too */
  constructor({ line, targets, draining }: QueueView, decision: WaitDecision, version: number) {
    this.decision = decision;
    this.#key = line.key;
    this.#targets = targets;
    this.#length = line.length;
    this.#draining = draining;
    this.#version = version;
  }

  isStillValid({ nowMs, line, targets, draining }: QueueView, version: number): boolean {
    const { length } = line;
    if (nowMs >= this.decision.untilMs || length < this.#length || length > this.#length * (1 + growth))
      return false;
    if (version !== this.#version) return false;
    // The requests of a key that may not go everywhere are a line of their own.
    if (line.key !== this.#key || targets !== this.#targets || draining !== this.#draining) return false;
    // A request that joined with an earlier deadline than others may be in a hurry.
    return length === this.#length || line.at(length - 1).arrivedAtMs === nowMs;
  }
}
