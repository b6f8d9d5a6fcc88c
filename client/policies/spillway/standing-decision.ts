/**
 * A decision to wait that stays valid while nothing happens but a few requests joining the end of a long
 * line. It keeps the work for each arrival small when many requests wait.
 */
import { hasRoom } from "../../targets/target-view.ts";
import type { QueueView, WaitDecision } from "../policy.ts";

/** A line may grow by this part before the decision is made anew. */
const growth = 1 / 32;

export class StandingDecision {
  readonly decision: WaitDecision;
  readonly #key: string;
  readonly #targets: QueueView["targets"];
  readonly #length: number;
  /** When the first request arrived: at its deadline the queue takes it away without a word. */
  readonly #firstArrivedAtMs: number;
  readonly #draining: boolean;
  readonly #version: number;
  /** Batches in flight, by target, where fewer may make a place that the line waits for. */
  readonly #inFlight: number[] = [];

  /** @param version counts changes to what is known of the targets, which batches of other lines cause too */
  constructor({ nowMs, line, targets, draining }: QueueView, decision: WaitDecision, version: number) {
    this.decision = decision;
    this.#key = line.key;
    this.#targets = targets;
    this.#length = line.length;
    this.#firstArrivedAtMs = line.at(0).arrivedAtMs;
    this.#draining = draining;
    this.#version = version;
    for (const target of targets)
      this.#inFlight.push(target.kind === "edge" || !hasRoom(target, nowMs) ? target.inFlight : 0);
  }

  isStillValid({ nowMs, line, targets, draining }: QueueView, version: number): boolean {
    const { length } = line;
    if (nowMs >= this.decision.untilMs || length < this.#length || length > this.#length * (1 + growth))
      return false;
    if (version !== this.#version || line.at(0).arrivedAtMs !== this.#firstArrivedAtMs) return false;
    // The policy is not told of batches that are too large for it, and yet they take places.
    if (targets.some(({ inFlight }, index) => inFlight < (this.#inFlight[index] ?? 0))) return false;
    // Requests of the same key with other eligible targets are another line.
    if (line.key !== this.#key || targets !== this.#targets || draining !== this.#draining) return false;
    // A new request that is not at the end has an earlier deadline than others and may be urgent.
    return length === this.#length || line.at(length - 1).arrivedAtMs === nowMs;
  }
}
