/**
 * A decision to wait, and for how long it need not be made again: while nothing happens but that a few more
 * requests join the end of a long line. It keeps the work for each arrival small when many wait.
 */
import type { Decision, QueueView } from "../policy.ts";

/** A line may grow by this part before what it waits for is worked out anew. */
const growth = 1 / 32;

export class StandingDecision {
  readonly decision: Decision & { readonly kind: "wait" };
  readonly #key: string;
  readonly #targets: QueueView["targets"];
  readonly #length: number;
  readonly #draining: boolean;

  constructor({ line, targets, draining }: QueueView, decision: Decision & { readonly kind: "wait" }) {
    this.decision = decision;
    this.#key = line.key;
    this.#targets = targets;
    this.#length = line.length;
    this.#draining = draining;
  }

  holds({ nowMs, line, targets, draining }: QueueView): boolean {
    const { length } = line;
    if (nowMs >= this.decision.untilMs || length < this.#length || length > this.#length * (1 + growth))
      return false;
    // The requests of a key that may not go everywhere are a line of their own.
    if (line.key !== this.#key || targets !== this.#targets || draining !== this.#draining) return false;
    // Who joined with an earlier deadline than others may be in a hurry.
    return length === this.#length || line.at(length - 1).arrivedAtMs === nowMs;
  }
}
